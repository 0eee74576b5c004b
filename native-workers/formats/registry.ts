/** Every format that Hone knows. Adding one: a folder beside this file and a line in `FORMATS`; see README.md. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Model } from '../graph/model.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { FOREIGN, OTHERS, TEXTS } from './foreign.ts';
import { type Format, HEAD_BYTES } from './format.ts';
import { keras } from './keras/format.ts';
import { onnx } from './onnx/format.ts';
import { tflite } from './tflite/format.ts';

/** In the order in which they are asked: formats with a mark of their own before those without. */
export const FORMATS: readonly Format[] = [keras, ...FOREIGN, tflite, onnx];

/**
 * The format of a file. Throws `file-missing`, `no-permission`, `file-empty`, and `file-not-a-model` with what the file is
 * where that can be told.
 */
export function detectFormat(path: string): Format {
  const head = readHead(path);
  const format = FORMATS.find((each) => each.detect(head, path));
  // ONNX has no mark of its own and is told by the name of the file too, which other things may bear.
  if (format !== undefined && !(format.id === 'onnx' && (isText(head) || isOther(head)))) return format;
  throw notAModel(path, head);
}

/**
 * Opens a model of any format that Hone reads, without its weights. Throws what `detectFormat` throws, `format-unsupported`
 * for a format that is only recognised, and what the format's reader throws.
 */
export async function openModel(path: string): Promise<Model> {
  const format = detectFormat(path);
  if (format.read === undefined) {
    throw new HoneError('format-unsupported', `The file is ${format.title}. ${format.advice ?? ''}`.trim(), {
      where: { file: path },
    });
  }
  try {
    return await format.read(path);
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

function readHead(path: string): Uint8Array {
  try {
    if (statSync(path).isDirectory()) throw folderError(path);
    const file = openSync(path, 'r');
    try {
      const head = new Uint8Array(HEAD_BYTES);
      const length = readSync(file, head, 0, HEAD_BYTES, 0);
      if (length === 0) throw new HoneError('file-empty', 'The file has no bytes.', { where: { file: path } });
      return head.subarray(0, length);
    } finally {
      closeSync(file);
    }
  } catch (thrown) {
    throw toHoneError(thrown);
  }
}

/** Some formats are folders. */
function folderError(path: string): HoneError {
  const where = { where: { file: path } };
  if (existsSync(join(path, 'Manifest.json')) && path.replace(/[\\/]$/, '').endsWith('.mlpackage')) {
    return new HoneError(
      'format-unsupported',
      'The folder is a Core ML package, which Hone writes but does not open.',
      where,
    );
  }
  if (existsSync(join(path, 'saved_model.pb'))) {
    return new HoneError(
      'format-unsupported',
      'The folder is a TensorFlow SavedModel; convert it with tf2onnx.',
      where,
    );
  }
  return new HoneError('file-not-a-model', 'The path is a folder; open the model file in it.', where);
}

/** Whether the first bytes are printable text: no model format starts so. */
function isText(head: Uint8Array): boolean {
  const sample = head.subarray(0, 512);
  return sample.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte !== 127));
}

function isOther(head: Uint8Array): boolean {
  return OTHERS.some((each) => each.detect(head));
}

function notAModel(path: string, head: Uint8Array): HoneError {
  const where = { where: { file: path } };
  const other = OTHERS.find((each) => each.detect(head));
  if (other !== undefined) return new HoneError('file-not-a-model', `The file is ${other.title}.`, where);
  if (!isText(head)) {
    return new HoneError('file-not-a-model', 'The first bytes are of no model format that Hone knows.', where);
  }
  const text = new TextDecoder().decode(head);
  const known = TEXTS.find((each) => each.detect(text));
  const message = known === undefined ? 'The file is a text.' : `The file is ${known.title}. ${known.advice}`;
  return new HoneError('file-not-a-model', message, where);
}
