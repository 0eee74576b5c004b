/**
 * Removes nodes whose outputs nothing reads, initializers that nothing reads, and functions that nothing calls.
 *
 * Notes
 * - A node of a domain that Hone does not know stays even when nothing reads it: it may write a file or a log.
 * - Graph inputs stay, read or not: they are the interface of the model.
 * - One walk from the last node to the first finds all of them: a node is dead when its readers are, and those came before.
 */
import { z } from 'zod';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { topologicalOrder } from '../graph/traversal.ts';
import type { Value } from '../graph/value.ts';
import { allGraphs, allOutputs, Counter, dropIfUnread } from './edit.ts';
import { definePass } from './pass.ts';

export type RemoveDeadCodeOptions = Record<string, never>;

export const REMOVE_DEAD_CODE_DEFAULTS: RemoveDeadCodeOptions = {};

const optionsSchema = z.strictObject({}) as z.ZodType<RemoveDeadCodeOptions>;

/** Domains whose operators do nothing but make their outputs. */
const PURE_DOMAINS = new Set(['', 'ai.onnx.ml', 'com.microsoft']);

export const removeDeadCode = definePass(
  {
    id: 'remove-dead-code',
    title: 'Remove dead code',
    summary: 'Removes nodes, weights and functions that no output depends on.',
    family: 'clean',
    lossy: false,
    needs: [],
  },
  REMOVE_DEAD_CODE_DEFAULTS,
  optionsSchema,
  async (model) => {
    const counts = new Counter();
    removeDeadParts(model, counts);
    if (counts.total === 0) return { status: 'unchanged', reason: 'Every node and every weight is read.' };
    return { status: 'changed', counts: counts.counts, notes: [] };
  },
);

/** Removes everything dead in the model and its functions' callers, and counts it. */
export function removeDeadParts(model: Model, counts: Counter): void {
  const callable = new Set(model.functions.map((each) => each.domain));
  removeDeadNodes(model.graph, allOutputs(model.graph), callable, counts);
  for (const graph of allGraphs(model.graph)) {
    const outputs = new Set(graph.outputs);
    for (const value of [...graph.initializers]) {
      if (!outputs.has(value) && dropIfUnread(graph, value)) counts.add('weights removed');
    }
  }
  const called = calledFunctions(model);
  const kept = model.functions.filter((each) => called.has(`${each.domain}:${each.name}`));
  counts.add('functions removed', model.functions.length - kept.length);
  model.functions = kept;
}

function removeDeadNodes(
  graph: Graph,
  outputs: ReadonlySet<Value>,
  callable: ReadonlySet<string>,
  counts: Counter,
): void {
  const isRead = (value: Value | null): boolean => value !== null && (value.consumers.size > 0 || outputs.has(value));
  for (const node of topologicalOrder(graph).reverse()) {
    const pure = PURE_DOMAINS.has(node.domain) || callable.has(node.domain);
    if (pure && !node.outputs.some(isRead)) {
      graph.removeNode(node);
      counts.add('nodes removed');
      continue;
    }
    for (const subgraph of node.subgraphs()) removeDeadNodes(subgraph, outputs, callable, counts);
  }
}

/** `domain:name` of every function that the graph calls, itself or through other functions. */
function calledFunctions(model: Model): Set<string> {
  const bodies = new Map(model.functions.map((each) => [`${each.domain}:${each.name}`, each.body]));
  const called = new Set<string>();
  const visit = (nodes: Iterable<Node>): void => {
    for (const node of nodes) {
      const key = `${node.domain}:${node.opType}`;
      const body = bodies.get(key);
      if (body === undefined || called.has(key)) continue;
      called.add(key);
      visit(body.allNodes());
    }
  };
  visit(model.graph.allNodes());
  return called;
}
