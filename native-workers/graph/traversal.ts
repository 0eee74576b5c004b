/** Orders and walks over a graph. */
import { HoneError } from '../protocol/errors.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';

/**
 * The nodes such that each comes after the makers of what it reads (what its subgraphs read from outside included). A graph
 * that is sorted already keeps its order. Throws `graph-cycle`. Iterative: real graphs are tens of thousands of nodes deep.
 */
export function topologicalOrder(graph: Graph): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  for (const root of graph.nodes) {
    if (state.has(root)) continue;
    const stack = [{ node: root, before: predecessors(graph, root) }];
    state.set(root, 'open');
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top === undefined) break;
      const next = top.before.next();
      if (next.done === true) {
        stack.pop();
        state.set(top.node, 'done');
        order.push(top.node);
      } else if (!state.has(next.value)) {
        state.set(next.value, 'open');
        stack.push({ node: next.value, before: predecessors(graph, next.value) });
      } else if (state.get(next.value) === 'open') {
        throw new HoneError('graph-cycle', `The node ${next.value.label} depends on its own output.`, {
          where: { graph: graph.name, node: next.value.label },
        });
      }
    }
  }
  return order;
}

/** The nodes of `graph` whose outputs `node`, or a subgraph of it, reads. */
export function* predecessors(graph: Graph, node: Node): Generator<Node> {
  for (const input of node.inputs) if (input?.producer?.graph === graph) yield input.producer;
  for (const subgraph of node.subgraphs()) {
    for (const inner of subgraph.allNodes()) {
      for (const input of inner.inputs) if (input?.producer?.graph === graph) yield input.producer;
    }
    for (const output of subgraph.outputs) if (output.producer?.graph === graph) yield output.producer;
  }
}
