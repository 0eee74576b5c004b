/**
 * The options of a pass or a target as a form: one mapping from its schema that feeds the studio's forms, `hone passes` and
 * `--set`.
 */
import { z } from 'zod';
import { HoneError } from '../protocol/errors.ts';
import type { OptionForm, PassInfo, TargetInfo } from '../protocol/studio.ts';
import type { Pass } from './pass.ts';

/** The part of JSON Schema that option schemas come out as. */
interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** What has options: a pass, or a target for devices. */
export type WithOptions = Pick<Pass, 'id' | 'defaults' | 'schema'>;

/** The options in the order of the schema. Choices are strings, also where the option's values (and default) are numbers. */
export function optionForms({ schema: options, defaults: preset }: WithOptions): OptionForm[] {
  const schema = z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const defaults: Readonly<Record<string, unknown>> = { ...preset };
  return Object.entries(schema.properties ?? {}).map(([name, property]) =>
    formOf(name, property, defaults[name] ?? null),
  );
}

export function passInfo(pass: Pass): PassInfo {
  const { id, title, summary, family, lossy, needs } = pass;
  return { id, title, summary, family, lossy, needs: [...needs], options: optionForms(pass) };
}

export function targetInfo(target: WithOptions & Pick<TargetInfo, 'title' | 'summary'>): TargetInfo {
  const { id, title, summary } = target;
  return { id, title, summary, options: optionForms(target) };
}

/** The value that `text` of `--set owner.option=text` stands for. Throws `invalid-options`, naming the option. */
export function parseOption(owner: WithOptions, name: string, text: string): unknown {
  const forms = optionForms(owner);
  const form = forms.find((option) => option.name === name);
  if (form === undefined) {
    const known = forms.map((option) => option.name).join(', ') || 'none';
    throw new HoneError('invalid-options', `${owner.id} has no option ${name}; its options: ${known}.`);
  }
  if (text === 'null') return null;
  switch (form.kind) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'number':
    case 'integer':
      return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
    case 'list':
      return parseList(text);
    case 'choice':
      return typeof form.default === 'number' ? Number(text) : text;
    case 'text':
      return text;
  }
}

/** `["a","b"]` as JSON, else `a,b`; numbers become numbers. */
function parseList(text: string): unknown[] {
  if (text.trimStart().startsWith('[')) {
    try {
      const value: unknown = JSON.parse(text);
      if (Array.isArray(value)) return value;
    } catch {
      // Not JSON: an item may begin with a bracket.
    }
  }
  if (text === '') return [];
  return text.split(',').map((item) => (item !== '' && !Number.isNaN(Number(item)) ? Number(item) : item));
}

function formOf(name: string, property: JsonSchema, preset: unknown): OptionForm {
  const schema = valueSchema(property);
  const choices = choicesOf(schema.type === 'array' ? (schema.items ?? {}) : schema);
  const minimum = schema.minimum ?? schema.exclusiveMinimum;
  const maximum = schema.maximum ?? schema.exclusiveMaximum;
  return {
    name,
    description: property.description ?? schema.description ?? '',
    kind: kindOf(schema, choices),
    default: preset,
    ...(choices === null ? {} : { choices }),
    // Zod writes the safe integers as bounds of every integer: no bounds of the option.
    ...(minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? {} : { maximum }),
  };
}

/** Of an option that may be null, the schema of its values. */
function valueSchema(schema: JsonSchema): JsonSchema {
  const members = schema.anyOf?.filter((member) => member.type !== 'null');
  const [only] = members ?? [];
  return members?.length === 1 && only !== undefined ? only : schema;
}

/** The fixed values of an enumeration or of a union of literals; null when there are none. */
function choicesOf(schema: JsonSchema): string[] | null {
  if (schema.enum !== undefined) return schema.enum.filter((value) => value !== null).map(String);
  const members = schema.anyOf?.filter((member) => member.type !== 'null') ?? [];
  const fixed = members.flatMap((member) => member.enum ?? (member.const === undefined ? [] : [member.const]));
  return fixed.length > 0 && members.every((member) => member.enum !== undefined || member.const !== undefined)
    ? fixed.map(String)
    : null;
}

function kindOf(schema: JsonSchema, choices: readonly string[] | null): OptionForm['kind'] {
  if (schema.type === 'array') return 'list';
  if (choices !== null) return 'choice';
  if (schema.type === 'boolean' || schema.type === 'number' || schema.type === 'integer') return schema.type;
  return 'text';
}
