/**
 * Zip archives, entry by entry. Nothing is unpacked to disk; names that leave the archive's folder, impossible sizes and
 * archives that promise more than deflate can hold are refused.
 */
import type { Readable } from 'node:stream';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { HoneError, toHoneError } from '../protocol/errors.ts';

/** Deflate cannot shrink by more than 1032 to 1; more means entries that share bytes, which only bombs do. */
const MOST_RATIO = 1100;
const MOST_ENTRIES = 4_000_000;

export interface ZipEntry {
  /** With forward slashes, relative. */
  readonly path: string;
  readonly bytes: number;
  readonly entry: Entry;
}

export class ZipArchive {
  readonly path: string;
  /** Files in the order of the central directory. */
  readonly entries: readonly ZipEntry[];
  readonly #zip: ZipFile;

  private constructor(path: string, zip: ZipFile, entries: readonly ZipEntry[]) {
    this.path = path;
    this.#zip = zip;
    this.entries = entries;
  }

  /** Throws `file-missing`, `data-unreadable` for a damaged archive and `archive-unsafe` for a hostile one. */
  static async open(path: string): Promise<ZipArchive> {
    let zip: ZipFile;
    try {
      zip = await openPromise(path, { autoClose: false });
    } catch (thrown) {
      throw zipError(thrown, path);
    }
    try {
      const entries: ZipEntry[] = [];
      let packed = 0;
      let unpacked = 0;
      for await (const entry of zip.eachEntry()) {
        if (entry.fileName.endsWith('/')) continue;
        packed += entry.compressedSize;
        unpacked += entry.uncompressedSize;
        entries.push({ path: entry.fileName, bytes: entry.uncompressedSize, entry });
        if (entries.length > MOST_ENTRIES) throw unsafe(path, `It holds more than ${MOST_ENTRIES} files.`);
      }
      // Entries that overlap are counted once for the file and many times for their content.
      if (unpacked > MOST_RATIO * Math.min(packed, zip.fileSize) + 1024) {
        throw unsafe(path, `It would unpack to ${unpacked} bytes from ${zip.fileSize}.`);
      }
      return new ZipArchive(path, zip, entries);
    } catch (thrown) {
      zip.close();
      throw zipError(thrown, path);
    }
  }

  /** The content of an entry as a stream, which fails when the entry is longer or shorter than its header says. */
  async stream(entry: ZipEntry): Promise<Readable> {
    try {
      return await this.#zip.openReadStreamPromise(entry.entry);
    } catch (thrown) {
      throw zipError(thrown, `${this.path}/${entry.path}`);
    }
  }

  /** The whole content. Throws `archive-unsafe` when it is larger than `mostBytes`. */
  async read(entry: ZipEntry, mostBytes: number): Promise<Buffer> {
    const where = `${this.path}/${entry.path}`;
    if (entry.bytes > mostBytes)
      throw unsafe(where, `It is ${entry.bytes} bytes long, more than the ${mostBytes} allowed.`);
    const pieces: Buffer[] = [];
    try {
      for await (const piece of await this.stream(entry)) pieces.push(piece as Buffer);
    } catch (thrown) {
      throw zipError(thrown, where);
    }
    return Buffer.concat(pieces);
  }

  /** Where the content of an entry begins in the archive when it is stored as it is; null when it is compressed. */
  async offsetOf(entry: ZipEntry): Promise<number | null> {
    if (entry.entry.compressionMethod !== 0 || entry.entry.isEncrypted()) return null;
    try {
      return (await this.#zip.readLocalFileHeaderPromise(entry.entry, { minimal: true })).fileDataStart;
    } catch (thrown) {
      throw zipError(thrown, `${this.path}/${entry.path}`);
    }
  }

  close(): void {
    this.#zip.close();
  }
}

function unsafe(path: string, reason: string): HoneError {
  return new HoneError('archive-unsafe', `${path} is refused. ${reason}`, { where: { file: path } });
}

function zipError(thrown: unknown, path: string): HoneError {
  const known = toHoneError(thrown);
  if (known.code !== 'internal') return known;
  const message = known.message;
  if (/relative path|absolute path|invalid characters in fileName/.test(message))
    return unsafe(path, `It holds an ${message}.`);
  if (/too many bytes|compressed\/uncompressed size mismatch/.test(message)) {
    return unsafe(path, `An entry is not as long as it says: ${message}.`);
  }
  return new HoneError('data-unreadable', `${path} is no readable zip archive: ${message.replace(/\.+$/, '')}.`, {
    where: { file: path },
    cause: thrown,
  });
}
