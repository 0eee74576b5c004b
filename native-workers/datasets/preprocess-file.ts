/** `preprocess.json` beside the data or the model, for when no preprocessing is given. */
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { HoneError } from '../protocol/errors.ts';
import { type Preprocess, preprocessSchema } from '../protocol/request.ts';
import { schemaText } from '../protocol/schema-text.ts';

export interface FoundPreprocess {
  readonly preprocess: Preprocess;
  readonly path: string;
}

/** The first `preprocess.json` in these folders, or null. Throws `preprocess-invalid`. */
export async function findPreprocess(folders: readonly string[]): Promise<FoundPreprocess | null> {
  for (const folder of folders) {
    const path = join(folder, 'preprocess.json');
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text !== null) return { path, preprocess: parsePreprocess(text, path) };
  }
  return null;
}

/** Text of a preprocessing file; a relative tokenizer path in it is relative to the file. Throws `preprocess-invalid`. */
export function parsePreprocess(text: string, path: string): Preprocess {
  const invalid = (reason: string): HoneError =>
    new HoneError('preprocess-invalid', `${path} is not accepted: ${reason}`, { where: { file: path } });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw invalid(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const parsed = preprocessSchema.safeParse(value);
  if (!parsed.success) throw invalid(schemaText(parsed.error));
  const { tokenizer } = parsed.data;
  if (tokenizer === undefined || isAbsolute(tokenizer)) return parsed.data;
  return { ...parsed.data, tokenizer: join(dirname(path), tokenizer) };
}
