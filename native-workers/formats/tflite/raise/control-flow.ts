/**
 * Operators that run other graphs of the file: IF and WHILE as If and Loop, CALL_ONCE by what it sets. A variable that is set
 * once, before anything reads it, is what it was set to.
 */
import { Graph } from '../../../graph/graph.ts';
import { tensorType } from '../../../graph/types.ts';
import type { Value } from '../../../graph/value.ts';
import type { TfliteOperator } from '../file.ts';
import { slotOf } from '../schema.ts';
import type { GraphBuilder } from './builder.ts';
import { input, Options, output, type Raise } from './operator.ts';

const values = (operator: TfliteOperator, builder: GraphBuilder, from = 0): Value[] =>
  operator.inputs.slice(from).map((_, position) => builder.value(input(operator, from + position, builder)));

function define(operator: TfliteOperator, builder: GraphBuilder, made: readonly Value[]): void {
  operator.outputs.forEach((_, position) => {
    const value = made[position];
    if (value === undefined) throw builder.unsupported(operator, `its graph has no output ${position}.`);
    builder.define(output(operator, builder, position), value);
  });
}

/** Branches read the values around them. */
const branches: Raise = (operator, builder) => {
  const options = new Options(operator, 'IfOptions');
  const given = values(operator, builder, 1);
  const branch = (field: string): Graph => {
    const graph = new Graph(`${builder.graph.name}_${operator.index}_${field}`);
    graph.outputs.push(...builder.inner(options.int(field), given, graph));
    return graph;
  };
  const attributes = {
    then_branch: { type: 'graph' as const, value: branch('then_subgraph_index') },
    else_branch: { type: 'graph' as const, value: branch('else_subgraph_index') },
  };
  const condition = builder.value(input(operator, 0, builder));
  define(operator, builder, builder.ops('If', [condition], operator.outputs.length, attributes));
};

/** The condition is a graph of the state: before the first step, and then at the end of each. */
const loop: Raise = (operator, builder) => {
  const options = new Options(operator, 'WhileOptions');
  const condition = options.int('cond_subgraph_index');
  const state = values(operator, builder);
  const [starts] = builder.inner(condition, state, null);
  const body = new Graph(`${builder.graph.name}_${operator.index}_body`);
  body.addInput(builder.unique('step'), tensorType('int64', []));
  body.addInput(builder.unique('goes_on'), tensorType('bool', []));
  const before = state.map(({ name, type }, position) => {
    const { dtype } = builder.tensor(input(operator, position, builder));
    return body.addInput(builder.unique(`${name}_before`), type ?? tensorType(dtype, null));
  });
  const after = builder.inner(options.int('body_subgraph_index'), before, body);
  const goesOn = builder.inner(condition, after, body);
  body.outputs.push(...goesOn, ...after);
  if (starts === undefined || goesOn.length !== 1 || after.length !== state.length)
    throw builder.unsupported(operator, 'its graphs do not fit each other.');
  const made = builder.ops('Loop', [null, starts, ...state], state.length, { body: { type: 'graph', value: body } });
  define(operator, builder, made);
};

/** A graph that sets variables, run before the first time of the model. */
const callOnce: Raise = (operator, builder) => {
  builder.initialise(new Options(operator, 'CallOnceOptions').int('init_subgraph_index'));
};

/** A handle is known by the name of its variable. */
const handle: Raise = (operator, builder) => {
  const name = operator.options?.string(slotOf('VarHandleOptions', 'shared_name')) ?? '';
  const container = operator.options?.string(slotOf('VarHandleOptions', 'container')) ?? '';
  builder.handles.set(output(operator, builder), `${container}/${name}`);
};

function variable(operator: TfliteOperator, builder: GraphBuilder): string {
  const name = builder.handles.get(input(operator, 0, builder));
  if (name === undefined) throw builder.unsupported(operator, 'which variable it means is computed.');
  return name;
}

const assign: Raise = (operator, builder) => {
  if (!builder.isInitialising) throw builder.unsupported(operator, 'it keeps a state from one run to the next.');
  builder.shared.variables.set(variable(operator, builder), builder.value(input(operator, 1, builder)));
};

const read: Raise = (operator, builder) => {
  const value = builder.shared.variables.get(variable(operator, builder));
  if (value === undefined) throw builder.unsupported(operator, 'nothing sets its variable before.');
  builder.define(output(operator, builder), builder.op('Identity', [value]));
};

export const CONTROL_FLOW: Readonly<Record<string, Raise>> = {
  IF: branches,
  WHILE: loop,
  CALL_ONCE: callOnce,
  VAR_HANDLE: handle,
  ASSIGN_VARIABLE: assign,
  READ_VARIABLE: read,
};
