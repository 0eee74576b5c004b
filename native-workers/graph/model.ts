/** A model: a graph with the operator sets it is written in, its functions and its metadata. */
import type { Attribute } from './attribute.ts';
import type { Graph } from './graph.ts';

/** A model-local function (`FunctionProto`): its body is a graph whose inputs and outputs are untyped values. */
export interface ModelFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly docString: string;
  readonly body: Graph;
  readonly opsets: Map<string, number>;
  /** Names of attributes without a default, then those with one. */
  readonly attributes: readonly string[];
  readonly attributeDefaults: ReadonlyMap<string, Attribute>;
  readonly opaqueFields: Uint8Array | null;
}

export class Model {
  graph: Graph;
  irVersion: number;
  /** Operator set versions by domain; '' is ONNX's own. */
  readonly opsets: Map<string, number>;
  producerName = '';
  producerVersion = '';
  domain = '';
  modelVersion = 0n;
  docString = '';
  readonly metadata: Map<string, string> = new Map();
  functions: ModelFunction[] = [];
  /** Fields that Hone does not read (training info, device configurations), written back as they were. */
  opaqueFields: Uint8Array | null = null;
  /** The file it was read from; null for a model made in memory. Its tensors may point into that file. */
  source: { readonly path: string; readonly bytes: number; readonly format: string } | null = null;

  constructor(graph: Graph, opset: number, irVersion: number) {
    this.graph = graph;
    this.irVersion = irVersion;
    this.opsets = new Map([['', opset]]);
  }

  /** The version of ONNX's own operator set; 0 when the model imports none. */
  get opset(): number {
    return this.opsets.get('') ?? 0;
  }
}
