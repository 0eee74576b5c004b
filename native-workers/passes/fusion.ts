/**
 * Whether the engine runs what the passes meant it to run: the graph that it made of the saved model is compared with the
 * kernels that the passes expect. Q/DQ nodes in a file prove nothing; fused kernels in the optimised graph do.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { ExpectedKernel } from './pass.ts';

/** As `fusionFactsSchema` has it. */
export interface FusionFacts {
  /** How many nodes of each operator: `domain:type`, with '' for ONNX's domain. */
  readonly operators: Record<string, number>;
  readonly expected: { kernel: string; expected: number; found: number; missing: string[] }[];
}

/**
 * A kernel is found where it makes the value that the pass named. The engine names values anew when it fuses further (a bias
 * taken in, a reshape moved), so kernels of the right type that no pass named stand for those not found by name.
 */
export function fusionFacts(optimised: Graph, expectations: readonly ExpectedKernel[]): FusionFacts {
  const operators: Record<string, number> = {};
  const makers = new Map<string, string>();
  for (const node of optimised.allNodes()) {
    const kernel = kernelOf(node);
    operators[kernel] = (operators[kernel] ?? 0) + 1;
    for (const output of node.outputs) if (output !== null) makers.set(output.name, kernel);
  }
  const expected = merged(expectations).map(({ kernel, nodes }) => {
    const unnamed = nodes.filter(({ output }) => makers.get(output) !== kernel);
    const spare = Math.max(0, (operators[kernel] ?? 0) - (nodes.length - unnamed.length));
    const missing = unnamed.slice(spare).map(({ label }) => label);
    return { kernel, expected: nodes.length, found: nodes.length - missing.length, missing };
  });
  return { operators: sorted(operators), expected };
}

function kernelOf(node: Node): string {
  return `${node.domain}:${node.opType}`;
}

/** The expectations of all passes, one for each kernel. */
function merged(expectations: readonly ExpectedKernel[]): ExpectedKernel[] {
  const byKernel = new Map<string, ExpectedKernel>();
  for (const { kernel, nodes } of expectations) {
    byKernel.set(kernel, { kernel, nodes: [...(byKernel.get(kernel)?.nodes ?? []), ...nodes] });
  }
  return [...byKernel.values()];
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
