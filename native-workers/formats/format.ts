/** What a file format is to Hone. README.md tells how to add one. */
import type { Model } from '../graph/model.ts';

export interface Format {
  /** The name in facts and on the command line: `onnx`, `tflite`. */
  readonly id: string;
  readonly title: string;
  /** True when the file is of this format, by its first bytes (up to `HEAD_BYTES`) or, where those say nothing, its name. */
  detect(head: Uint8Array, path: string): boolean;
  /** Opens the file without reading its weights. Absent when Hone only recognises the format. */
  readonly read?: (path: string) => Model | Promise<Model>;
  /** For a format that is recognised only: what to do with such a file, in one sentence. */
  readonly advice?: string;
}

/** How much of a file `detect` is given. */
export const HEAD_BYTES = 4096;

/** True when `bytes` has the ASCII `text` at `offset`. */
export function hasText(bytes: Uint8Array, offset: number, text: string): boolean {
  if (bytes.length < offset + text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[offset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
