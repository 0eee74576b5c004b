/**
 * Files that a browser gives: a page cannot name a path, so the bytes are streamed into the library's inbox, and the run
 * works on that copy. Files of one drop share a folder. A file is there whole or not at all.
 */

import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { replaceFile } from '../lib/atomic-file.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { HoneError } from '../protocol/errors.ts';
import { freeBytes } from './disk.ts';

/** Room that an upload leaves on the disk, so that the runs under way can still write. */
const SPARE_BYTES = 256 << 20;
const DEEPEST = 32;
/** File systems take 255 bytes; the name of the temporary file is a little longer. */
const LONGEST_NAME = 240;
const DROP = /^[0-9A-Za-z-]{1,64}$/;
/** What the name of a file cannot hold, or should not in a listing. */
const FORBIDDEN =
  process.platform === 'win32' ? /[\p{Cc}\p{Bidi_Control}\\/:*?"<>|]|[. ]$/u : /[\p{Cc}\p{Bidi_Control}\\/]/u;

/**
 * Stores the body of a request and returns the path of what was dropped: the file, or the first folder of its path.
 * Throws `protocol-violation` for a drop or path that no page of ours sends, `disk-full` and `no-permission`.
 */
export async function receiveUpload(request: IncomingMessage, query: URLSearchParams, inbox: string): Promise<string> {
  const drop = query.get('drop') ?? '';
  if (!DROP.test(drop)) throw new HoneError('protocol-violation', 'An upload needs the id of its drop.');
  const names = safeNames(query.get('path') ?? '');
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(length)) throw new HoneError('protocol-violation', 'An upload needs its length.');

  const root = join(inbox, drop);
  makeFolder(join(root, ...names.slice(0, -1)));
  const free = await freeBytes(root);
  if (length > free - SPARE_BYTES) {
    throw new HoneError('disk-full', `The file has ${length} bytes, and the disk of the library has ${free} free.`, {
      where: { file: inbox },
    });
  }
  await replaceFile(join(root, ...names), (temporary) =>
    pipeline(request, exactly(length), createWriteStream(temporary, { flags: 'wx' })),
  );
  return join(root, names[0] ?? '');
}

/** The parts of a relative path with forward slashes. Throws `protocol-violation` for one that could leave its folder. */
function safeNames(path: string): string[] {
  const names = path.split('/');
  const safe = names.every(
    (name) =>
      name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= LONGEST_NAME && !FORBIDDEN.test(name),
  );
  if (!safe || names.length > DEEPEST) {
    throw new HoneError('protocol-violation', 'The path of an uploaded file is not one that a folder can hold.');
  }
  return names;
}

/** Passes bytes on and fails when the connection ends before all have come. */
function exactly(length: number): Transform {
  let received = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      received += piece.length;
      done(received > length ? tooMany() : null, piece);
    },
    flush(done) {
      done(received === length ? null : new HoneError('file-truncated', `Only ${received} of ${length} bytes came.`));
    },
  });
}

function tooMany(): HoneError {
  return new HoneError('protocol-violation', 'An upload is longer than it said.');
}
