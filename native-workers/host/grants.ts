/**
 * Files the user chose, as opaque ids: the page never learns a path and cannot ask for one that was not chosen. A grant lives
 * as long as its studio.
 */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Grant } from '../protocol/studio.ts';

export class Grants {
  readonly #paths = new Map<string, string>();
  readonly #ids = new Map<string, string>();

  /** Grants an existing file or folder; the same path gets the same id. Throws `file-missing` or `no-permission`. */
  async grant(path: string): Promise<Grant> {
    const absolute = resolve(path);
    const facts = await stat(absolute).catch((thrown: unknown) => {
      throw toHoneError(thrown);
    });
    if (!facts.isFile() && !facts.isDirectory()) {
      throw new HoneError('file-unreadable', `${absolute} is neither a file nor a folder.`, {
        where: { file: absolute },
      });
    }
    let id = this.#ids.get(absolute);
    if (id === undefined) {
      id = randomBytes(16).toString('base64url');
      this.#ids.set(absolute, id);
      this.#paths.set(id, absolute);
    }
    const file = facts.isFile();
    return { id, name: basename(absolute), kind: file ? 'file' : 'folder', bytes: file ? facts.size : null };
  }

  /** The absolute path of a grant. Throws `file-not-granted`. */
  path(id: string): string {
    const path = this.#paths.get(id);
    if (path === undefined) throw new HoneError('file-not-granted', 'This file was not chosen in this studio.');
    return path;
  }
}
