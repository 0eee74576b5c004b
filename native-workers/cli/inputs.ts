/** Files that commands are given, checked before any work starts. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { type ErrorCode, HoneError } from '../protocol/errors.ts';
import { type Recipe, recipeSchema } from '../protocol/recipe.ts';
import { type Preprocess, preprocessSchema } from '../protocol/request.ts';
import { schemaText } from '../protocol/schema-text.ts';

/** The absolute path of something that exists. Throws `file-missing` or `no-permission`. */
export async function existing(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    await stat(absolute);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR')) {
      throw new HoneError('file-missing', `There is nothing at ${absolute}.`, { where: { file: absolute } });
    }
    throw thrown;
  }
  return absolute;
}

/** Throws `invalid-recipe`, naming the field. */
export function readRecipe(path: string): Promise<Recipe> {
  return readJson(path, recipeSchema, 'invalid-recipe');
}

/** Paths in the file count from its folder. Throws `preprocess-invalid`, naming the field. */
export async function readPreprocess(path: string): Promise<Preprocess> {
  const preprocess = await readJson(path, preprocessSchema, 'preprocess-invalid');
  if (preprocess.tokenizer === undefined) return preprocess;
  return { ...preprocess, tokenizer: resolve(dirname(path), preprocess.tokenizer) };
}

async function readJson<T>(path: string, schema: z.ZodType<T>, code: ErrorCode): Promise<T> {
  const file = await existing(path);
  const text = await readFile(file, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HoneError(code, `${file} is not JSON: ${reason}.`, { where: { file } });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new HoneError(code, schemaText(result.error), { where: { file } });
}
