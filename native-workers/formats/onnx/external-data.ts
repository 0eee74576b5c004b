/**
 * Tensors whose bytes stand in files beside the model. Source: onnx.proto, `TensorProto.external_data`, and
 * onnx/docs/ExternalData.md: `location` is a path relative to the model's folder, `offset` and `length` are bytes.
 */
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { TensorData } from '../../graph/tensor.ts';
import { FileData } from '../../graph/tensor-data.ts';
import { HoneError } from '../../protocol/errors.ts';

/** Finds the files of one model, each looked up once. */
export class ExternalFiles {
  readonly #model: string | null;
  readonly #found: Map<string, { path: string; size: number }> = new Map();

  /** `model`: the path of the model file; null for a model in memory, which can have no files beside it. */
  constructor(model: string | null) {
    this.#model = model;
  }

  /**
   * The range of a file that holds a tensor of `bytes` bytes. Throws `external-data-missing`, `external-data-outside` when the
   * file is not in the model's folder, `external-data-range` when the range is not in the file, and `tensor-size-mismatch`.
   */
  data(entries: ReadonlyMap<string, string>, bytes: number, tensor: string): TensorData {
    const location = entries.get('location') ?? '';
    const file = this.#file(location, tensor);
    const offset = this.#number(entries.get('offset') ?? '0', tensor);
    const length = entries.has('length') ? this.#number(entries.get('length') ?? '', tensor) : bytes;
    if (length !== bytes) {
      throw new HoneError('tensor-size-mismatch', `The tensor needs ${bytes} bytes; its external data has ${length}.`, {
        where: this.#where(tensor),
      });
    }
    if (offset + length > file.size) {
      throw new HoneError(
        'external-data-range',
        `The tensor is said to be at bytes ${offset} to ${offset + length} of ${location}, which has ${file.size}.`,
        { where: { file: file.path, offset, tensor } },
      );
    }
    return new FileData(file.path, offset, length);
  }

  #file(location: string, tensor: string): { path: string; size: number } {
    const known = this.#found.get(location);
    if (known !== undefined) return known;
    if (this.#model === null) {
      throw new HoneError('external-data-missing', `The model is in memory and its weights are in ${location}.`, {
        where: { tensor },
      });
    }
    const path = this.#resolve(this.#model, location, tensor);
    const facts = statSync(path);
    if (!facts.isFile()) throw this.#missing(location, tensor);
    const file = { path, size: facts.size };
    this.#found.set(location, file);
    return file;
  }

  #resolve(model: string, location: string, tensor: string): string {
    // Windows exporters write backslashes; on the other systems those are legal in names but no exporter uses them.
    const relativePath = location.replaceAll('\\', '/');
    const folder = dirname(resolve(model));
    const written = resolve(folder, relativePath);
    if (location === '' || location.includes('\0') || isAbsolute(relativePath) || !isInside(written, folder)) {
      throw this.#outside(location, tensor);
    }
    let real: string;
    try {
      real = realpathSync(written);
    } catch {
      throw this.#missing(location, tensor);
    }
    // Download caches keep model and weights as links into one store: beside the real model is as good as beside the link.
    const allowed = [realpathSync(folder), dirname(realpathSync(model))];
    if (!allowed.some((parent) => isInside(real, parent))) throw this.#outside(location, tensor);
    return real;
  }

  #number(text: string, tensor: string): number {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw new HoneError(
      'file-corrupt',
      `The external data says '${text.slice(0, 40)}' where a count of bytes should be.`,
      {
        where: this.#where(tensor),
      },
    );
  }

  #missing(location: string, tensor: string): HoneError {
    return new HoneError('external-data-missing', `The file ${location} with the weights is not beside the model.`, {
      where: this.#where(tensor),
    });
  }

  #outside(location: string, tensor: string): HoneError {
    return new HoneError('external-data-outside', `The model points to ${location}, outside its folder.`, {
      where: this.#where(tensor),
    });
  }

  #where(tensor: string): { file?: string; tensor: string } {
    return this.#model === null ? { tensor } : { file: this.#model, tensor };
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
