/** What quantizing each layer saves, from profiles of the float and the quantized model. */
import type { Node } from '../../graph/node.ts';
import type { ComputePlan } from './placement.ts';

/** Milliseconds of one run by node name, as the engine names its nodes. */
export type ProfiledTimes = ReadonlyMap<string, number>;

export interface LayerGain {
  readonly ms: number;
  /** False where the engine's nodes could not be told apart, and the layer got its share of the whole by its multiplications. */
  readonly measured: boolean;
}

/**
 * Gains by layer. The engine names the nodes that it makes after the node or the value that they replace: `X_token_3` (fused
 * Q/DQ), `fused X`, and `Y_nchwc` for the convolution of blocked layout that makes the value Y. `multiplications`: of a layer,
 * for those that no name tells.
 */
export function layerGains(
  plans: readonly ComputePlan[],
  before: ProfiledTimes,
  after: ProfiledTimes,
  multiplications: (plan: ComputePlan) => number,
): Map<Node, LayerGain> {
  const [was, is] = [byOriginalName(before), byOriginalName(after)];
  const gains = new Map<Node, LayerGain>();
  for (const plan of plans) {
    const [slow, fast] = [timeOf(plan, was), timeOf(plan, is)];
    if (slow !== null && fast !== null) gains.set(plan.node, { ms: slow - fast, measured: true });
  }
  const rest = plans.filter(({ node }) => !gains.has(node));
  const measured = [...gains.values()].reduce((sum, { ms }) => sum + ms, 0);
  const left = Math.max(total(before) - total(after) - measured, 1e-6);
  const work = rest.reduce((sum, plan) => sum + multiplications(plan), 0);
  for (const plan of rest) {
    gains.set(plan.node, { ms: (left * multiplications(plan)) / Math.max(1, work), measured: false });
  }
  return gains;
}

function byOriginalName(times: ProfiledTimes): Map<string, number> {
  const original = new Map<string, number>();
  for (const [name, ms] of times) {
    const key = name.replace(/^fused /, '').replace(/(_token_\d+|_nchwc|_quant)$/, '');
    original.set(key, (original.get(key) ?? 0) + ms);
  }
  return original;
}

function timeOf({ node, output }: ComputePlan, times: ReadonlyMap<string, number>): number | null {
  const ends = [output, node.outputs[0], ...activationsAfter(node)];
  const names = [node.name, ...ends.map((value) => value?.name ?? '')].filter((name) => name !== '');
  const name = names.find((each) => times.has(each));
  return name === undefined ? null : (times.get(name) ?? null);
}

/** Values that a kernel may make instead of the node's own output, since it takes in the operator after it. */
function activationsAfter(node: Node): Node['outputs'][number][] {
  return [...(node.outputs[0]?.consumers ?? [])]
    .filter((reader) => reader.is('Relu', 'Clip', 'Add', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid'))
    .map((reader) => reader.outputs[0] ?? null);
}

function total(times: ProfiledTimes): number {
  return [...times.values()].reduce((sum, ms) => sum + ms, 0);
}
