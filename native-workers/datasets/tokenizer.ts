/** Text as the token tensors that a model takes, by a Hugging Face `tokenizer.json`. */
import { dirname, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import type { Feeds } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { DatasetNote, DatasetReading } from './dataset.ts';
import { toDType } from './numbers.ts';
import { readJson } from './records.ts';
import { type InputTensor, inputTensor, type ModelSignature } from './signature.ts';

export interface TextEncoding {
  /** Tensors of one text without the batch axis, cut to the longest length; or of a pair of texts. */
  encode(text: string, pair: string | null): Feeds;
  /** What to fill shorter texts with, by input. Empty for a model without a mask: it would read the filling as text. */
  readonly padding: Readonly<Record<string, number>>;
  readonly preprocess: Preprocess;
  readonly tokens: NonNullable<DatasetReading['tokens']>;
  readonly notes: readonly DatasetNote[];
}

/** What a text model takes, by the name of the input. */
type Role = 'ids' | 'mask' | 'types' | 'positions';

/** Tokens, where neither the preprocessing, the model nor the tokenizer sets a limit. */
const USUAL_MAX_LENGTH = 512;
/** Tables are often a little larger than the vocabulary, to be a round number; one that is much larger is another model's. */
const LEAST_SHARE_OF_TABLE = 0.8;

/**
 * `folders`: where the settings of the tokenizer and the model may lie besides its own folder.
 * Throws `data-mismatch` when the model takes other inputs than those of a text model, or the tokenizer's vocabulary is not
 * the size of the model's table; `data-unreadable` when the tokenizer cannot be read.
 */
export async function openTextEncoding(
  path: string,
  signature: ModelSignature,
  preprocess: Preprocess,
  folders: readonly string[],
): Promise<TextEncoding> {
  const inputs = rolesOf(signature);
  const { tokenizer, files } = await readTokenizer(path, folders);
  checkVocabulary(tokenizer, path, inputs, signature);
  const ids = inputs.find(({ role }) => role === 'ids')?.input as InputTensor;
  const fixed = ids.shape[1];
  const padTo = typeof fixed === 'number' ? fixed : (preprocess.maxLength ?? null);
  const most = padTo ?? longest(files);
  const padId = padIdOf(tokenizer, files);
  const hasMask = inputs.some(({ role }) => role === 'mask');
  const fillOf = (role: Role): number => (role === 'ids' ? padId : 0);
  const limit = signature.idLimits?.[ids.name];
  const notes: DatasetNote[] = [
    { code: 'tokenizer', message: `Texts are tokenized with ${path}, cut to ${most} tokens.` },
  ];
  return {
    padding:
      padTo === null && hasMask ? Object.fromEntries(inputs.map(({ input, role }) => [input.name, fillOf(role)])) : {},
    preprocess: { ...preprocess, tokenizer: path, maxLength: most },
    tokens: {
      ids: ids.name,
      mask: inputs.find(({ role }) => role === 'mask')?.input.name ?? null,
      textOf: (id) => tokenText(tokenizer, id),
      decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }),
    },
    notes,
    encode(text, pair) {
      const encoded = cut(tokenizer, text, pair, most);
      const unknown = limit === undefined ? undefined : encoded.ids.find((id) => id >= limit);
      if (unknown !== undefined) {
        throw new HoneError(
          'data-mismatch',
          `The tokenizer gives token ${unknown}, and '${ids.name}' looks up in a table of ${limit}; it is not the model's tokenizer.`,
          { where: { tensor: ids.name } },
        );
      }
      const length = padTo ?? encoded.ids.length;
      return Object.fromEntries(
        inputs.map(({ input, role }) => {
          const values = new Array<number>(length).fill(fillOf(role));
          encoded.ids.forEach((id, at) => {
            values[at] = { ids: id, mask: 1, types: encoded.types[at] ?? 0, positions: at }[role];
          });
          return [input.name, { dtype: input.dtype, shape: [length], data: toDType(values, input.dtype, 'the text') }];
        }),
      );
    },
  };
}

/** Readable where the token is whole characters; else as it stands in the vocabulary, such as a part of a character. */
function tokenText(tokenizer: Tokenizer, id: number): string | null {
  const token = tokenizer.id_to_token(id);
  if (token === undefined) return null;
  const text = tokenizer.decode([id], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  return text === '' || text.includes('\ufffd') ? token : text;
}

/** True when the model takes tokens: a whole-number input that is called ids, or the only input and whole-number. */
export function takesTokens(signature: ModelSignature): boolean {
  return signature.inputs.some(
    ({ name, type }) =>
      type.kind === 'tensor' && /^u?int(32|64)$/.test(type.dtype ?? '') && roleOf(name, signature) === 'ids',
  );
}

function roleOf(name: string, signature: ModelSignature): Role | null {
  if (/mask/i.test(name)) return 'mask';
  if (/token_type|segment/i.test(name)) return 'types';
  if (/position/i.test(name)) return 'positions';
  return /ids|tokens/i.test(name) || signature.inputs.length === 1 ? 'ids' : null;
}

function rolesOf(signature: ModelSignature): { readonly input: InputTensor; readonly role: Role }[] {
  const found: { input: InputTensor; role: Role }[] = [];
  const others: string[] = [];
  for (const info of signature.inputs) {
    const input = inputTensor(info);
    const role = roleOf(input.name, signature);
    const isText = role !== null && input.shape.length === 2 && !found.some((other) => other.role === role);
    if (isText) found.push({ input, role });
    else others.push(`'${input.name}'`);
  }
  if (others.length > 0 || !found.some(({ role }) => role === 'ids')) {
    throw new HoneError(
      'data-mismatch',
      `A tokenizer gives ids, mask, types and positions; nothing for ${others.join(', ') || 'the model'}.`,
    );
  }
  return found;
}

interface TokenizerFiles {
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** `tokenizer_config.json` and `config.json` beside it, the data or the model, where there are any. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly model: Readonly<Record<string, unknown>>;
}

async function readTokenizer(
  path: string,
  folders: readonly string[],
): Promise<{ tokenizer: Tokenizer; files: TokenizerFiles }> {
  const beside = async (name: string): Promise<Readonly<Record<string, unknown>>> => {
    for (const folder of [dirname(path), ...folders]) {
      const json = await readJson(join(folder, name)).catch(() => null);
      if (json !== null) return asObject(json);
    }
    return {};
  };
  const json = asObject(await readJson(path));
  const files = {
    tokenizer: json,
    settings: await beside('tokenizer_config.json'),
    model: await beside('config.json'),
  };
  try {
    const tokenizer = new Tokenizer(json, files.settings);
    tokenizer.encode('a');
    return { tokenizer, files };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HoneError('data-unreadable', `${path} is no usable Hugging Face tokenizer: ${reason}.`, {
      where: { file: path },
      cause: thrown,
    });
  }
}

const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};

function checkVocabulary(
  tokenizer: Tokenizer,
  path: string,
  inputs: readonly { readonly input: InputTensor; readonly role: Role }[],
  signature: ModelSignature,
): void {
  const name = inputs.find(({ role }) => role === 'ids')?.input.name ?? '';
  const table = signature.idLimits?.[name];
  if (table === undefined) return;
  // Added tokens may lie beyond the table in models that never use them, so they count for a large vocabulary only.
  const own = tokenizer.get_vocab(false).size;
  const all = tokenizer.get_vocab(true).size;
  if (own > table || all < table * LEAST_SHARE_OF_TABLE) {
    throw new HoneError(
      'data-mismatch',
      `The tokenizer ${path} has ${own > table ? own : all} tokens, and '${name}' looks up in a table of ${table}; it is not the model's tokenizer.`,
      { where: { file: path, tensor: name } },
    );
  }
}

function longest({ tokenizer, settings, model }: TokenizerFiles): number {
  const limits = [
    asObject(tokenizer['truncation'])['max_length'],
    settings['model_max_length'],
    model['max_position_embeddings'],
  ];
  // Tokenizers without a limit are saved with one of 10^30.
  const known = limits.filter((limit): limit is number => typeof limit === 'number' && limit > 0 && limit < 1e6);
  return Math.min(USUAL_MAX_LENGTH, ...known);
}

function padIdOf(tokenizer: Tokenizer, { tokenizer: json, settings, model }: TokenizerFiles): number {
  const declared = asObject(json['padding'])['pad_id'] ?? model['pad_token_id'];
  if (typeof declared === 'number') return declared;
  const named = settings['pad_token'];
  for (const token of [typeof named === 'string' ? named : '', '[PAD]', '<pad>', '<|endoftext|>', '</s>']) {
    const id = tokenizer.token_to_id(token);
    if (id !== undefined) return id;
  }
  return 0;
}

interface Encoded {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** Encodes and, when too long, takes tokens off the end of the longer text until it fits, keeping the special tokens. */
function cut(tokenizer: Tokenizer, text: string, pair: string | null, most: number): Encoded {
  const options = pair === null ? {} : { text_pair: pair };
  const full = tokenizer.encode(text, { ...options, return_token_type_ids: true });
  // Tokenizers without a template give no types.
  const whole: Encoded = { ids: full.ids, types: full.token_type_ids ?? full.ids.map(() => 0) };
  if (whole.ids.length <= most) return whole;
  const bare = (part: string): number[] => tokenizer.encode(part, { add_special_tokens: false }).ids;
  const first = bare(text);
  const second = pair === null ? [] : bare(pair);
  const firstAt = indexOfRun(whole.ids, first, 0);
  const secondAt = indexOfRun(whole.ids, second, firstAt + first.length);
  let [keepFirst, keepSecond] = [first.length, second.length];
  for (let excess = whole.ids.length - most; excess > 0 && keepFirst + keepSecond > 0; excess--) {
    if (keepFirst >= keepSecond) keepFirst--;
    else keepSecond--;
  }
  const isKept = (at: number): boolean =>
    !(at >= firstAt + keepFirst && at < firstAt + first.length) &&
    !(at >= secondAt + keepSecond && at < secondAt + second.length);
  const kept = (values: readonly number[]): number[] => values.filter((_, at) => isKept(at)).slice(0, most);
  return { ids: kept(whole.ids), types: kept(whole.types) };
}

/** Where `run` stands in `ids`, looking from `from` on; `from` when it does not. */
function indexOfRun(ids: readonly number[], run: readonly number[], from: number): number {
  for (let at = from; at + run.length <= ids.length; at++) {
    if (run.every((id, offset) => ids[at + offset] === id)) return at;
  }
  return from;
}
