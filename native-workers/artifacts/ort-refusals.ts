/** Which nodes ONNX Runtime refuses of a model that it does not load. It names one at most, and an operator that it does not know only by its type. */
import { onnxBytes } from '../formats/onnx/write.ts';
import { Graph } from '../graph/graph.ts';
import { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { tensorType } from '../graph/types.ts';
import type { Engine } from '../lib/engine.ts';
import { type HoneError, toHoneError } from '../protocol/errors.ts';
import type { Coverage } from './target.ts';

const UNKNOWN_OPERATOR = /is not a registered function\/op|No Op registered for/;

/** `error`: what it said when it refused the model. Never empty: what names no node stands for the whole model. */
export async function refusedNodes(model: Model, error: HoneError, engine: Engine): Promise<Coverage['unsupported']> {
  const nodes = [...model.graph.allNodes()];
  const row = (node: Node, message: string): Coverage['unsupported'][number] => ({
    node: node.label,
    type: typeOf(node),
    reason: `ONNX Runtime ${engine.version} refuses it: ${message}`,
  });
  if (UNKNOWN_OPERATOR.test(error.message)) {
    const unknown = await unknownOperators(model, nodes, engine);
    const refused = nodes.flatMap((node) => {
      const message = unknown.get(typeOf(node));
      return message === undefined ? [] : [row(node, message)];
    });
    if (refused.length > 0) return refused;
  }
  const named = error.where?.node;
  const found = nodes.filter((node) => named !== undefined && (node.name === named || typeOf(node) === named));
  if (found.length > 0) return found.map((node) => row(node, error.message));
  return [
    { node: named ?? '', type: '', reason: `ONNX Runtime ${engine.version} refuses the model: ${error.message}` },
  ];
}

/** Each kind of operator alone in a model, without its attributes: an unknown one is refused before anything else is looked at. */
async function unknownOperators(model: Model, nodes: readonly Node[], engine: Engine): Promise<Map<string, string>> {
  const unknown = new Map<string, string>();
  const tried = new Set(model.functions.map(({ domain, name }) => typeOf({ domain, opType: name })));
  for (const node of nodes) {
    const type = typeOf(node);
    if (tried.has(type)) continue;
    tried.add(type);
    const message = await refusalOf(alone(node, model), engine);
    if (message !== null && UNKNOWN_OPERATOR.test(message)) unknown.set(type, message);
  }
  return unknown;
}

function alone({ opType, domain, inputs }: Node, { opsets, irVersion, opset }: Model): Model {
  const graph = new Graph('alone');
  const read = inputs.map((_input, place) => graph.addInput(`x${place}`, tensorType('float32', null)));
  const made = graph.createValue('y', tensorType('float32', null));
  graph.addNode({ opType, domain, inputs: read, outputs: [made] });
  graph.outputs.push(made);
  const copy = new Model(graph, opset, irVersion);
  for (const [name, version] of opsets) copy.opsets.set(name, version);
  return copy;
}

async function refusalOf(model: Model, engine: Engine): Promise<string | null> {
  try {
    await (await engine.open(onnxBytes(model), { optimization: 'disabled' })).release();
    return null;
  } catch (thrown) {
    return toHoneError(thrown).message;
  }
}

function typeOf({ domain, opType }: Pick<Node, 'domain' | 'opType'>): string {
  return domain === '' ? opType : `${domain}:${opType}`;
}
