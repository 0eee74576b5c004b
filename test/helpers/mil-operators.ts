/** What MIL's operators take in each operator set, from coremltools' definitions in ../shared/reference/mil_ops.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  isValue,
  type MilArgument,
  type MilFunction,
  type MilOperation,
} from '../../native-workers/formats/coreml/program.ts';
import { SHARED } from './shared.ts';

const parameterSchema = z.object({
  /** Element types joined by `|`, or the name of a kind of list. */
  t: z.string(),
  /** Parameters with the same letter have the same type. */
  v: z.string().optional(),
  const: z.number().optional(),
  opt: z.number().optional(),
});
const operatorsSchema = z.record(
  z.string(),
  z.record(z.string(), z.object({ in: z.record(z.string(), parameterSchema) })),
);
type Parameters = Readonly<Record<string, z.infer<typeof parameterSchema>>>;

let operators: z.infer<typeof operatorsSchema> | null = null;

/** The newest definition of an operator that a system of the target has; null when all are newer, or there is none. */
function definition(type: string, target: number): Parameters | null {
  operators ??= operatorsSchema.parse(JSON.parse(readFileSync(join(SHARED, 'reference', 'mil_ops.json'), 'utf8')));
  const versions = Object.entries(operators[type] ?? {})
    .map(([system, { in: parameters }]) => ({ number: Number(system.replace('iOS', '')), parameters }))
    .filter(({ number }) => number <= target)
    .sort((a, b) => a.number - b.number);
  return versions.at(-1)?.parameters ?? null;
}

/** What a program has that a system of the target does not know; empty when all is well. */
export function violations(main: MilFunction, target: number): string[] {
  return main.operations.flatMap((operation) => {
    const where = `${operation.type} ${operation.outputs[0]?.name ?? ''}`;
    const parameters = definition(operation.type, target);
    if (parameters === null) return [`${where}: not in the operators of iOS ${target}`];
    return inOne(operation, parameters).map((reason) => `${where}: ${reason}`);
  });
}

function inOne({ inputs }: MilOperation, parameters: Parameters): string[] {
  const found: string[] = [];
  const variables = new Map<string, string>();
  for (const [name, given] of inputs) {
    const parameter = parameters[name];
    if (parameter === undefined) {
      found.push(`no parameter ${name}`);
      continue;
    }
    const [first] = given as [MilArgument];
    const { dtype } = first.type;
    if (/^[a-z0-9|]+$/.test(parameter.t) && !parameter.t.split('|').includes(dtype))
      found.push(`${name} is ${dtype} and may be ${parameter.t}`);
    if (parameter.v !== undefined) {
      const before = variables.get(parameter.v) ?? dtype;
      if (before !== dtype) found.push(`${name} is ${dtype} beside ${before}`);
      variables.set(parameter.v, dtype);
    }
  }
  for (const [name, { opt }] of Object.entries(parameters)) {
    if (opt === undefined && !name.startsWith('_') && !inputs.has(name)) found.push(`${name} is missing`);
  }
  return found;
}

/** Parameters that must be known when the program is written, and are not. Results of `constexpr_` operators are known. */
export function computedParameters(main: MilFunction, target: number): string[] {
  const known = new Set(main.operations.flatMap(({ type, outputs }) => (type.startsWith('constexpr_') ? outputs : [])));
  return main.operations.flatMap(({ type, inputs }) =>
    [...inputs].flatMap(([name, given]) =>
      definition(type, target)?.[name]?.const !== undefined &&
      given.some((each) => isValue(each) && each.constant === null && !known.has(each))
        ? [`${type}: ${name} is computed`]
        : [],
    ),
  );
}
