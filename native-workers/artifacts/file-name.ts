/** File names that assets of Android, bundles of iOS and command lines take alike: letters, digits, dots and dashes of ASCII. */
import { basename } from 'node:path';

/** Characters: file systems take 255 bytes, and endings and numbers come behind the name. */
const LONGEST = 120;

/**
 * The base name of `source` without its extension (nor that of the file it was converted from: `a.tflite.onnx`); what ASCII lacks becomes `_`, and a name of nothing
 * else `model`; a long one is cut.
 */
export function artifactName(source: string): string {
  const plain = basename(source)
    .replace(/\.[^.]+$/, '')
    .replace(/\.(tflite|onnx|ort|h5|keras)$/i, '')
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .replace(/[^\w.-]+/g, '_')
    .replace(/^[.-]+/, '_')
    .slice(0, LONGEST);
  return /[A-Za-z0-9]/.test(plain) ? plain : 'model';
}

/** `name`, or `name_2` and on where a name of `taken` is the same to a file system that does not tell cases apart. */
export function freeName(name: string, taken: Iterable<string>): string {
  const used = new Set([...taken].map((each) => each.toLowerCase()));
  let free = name;
  for (let number = 2; used.has(free.toLowerCase()); number++) free = `${name}_${number}`;
  return free;
}
