/**
 * ONNX files carry no mark of their own: they are protobuf messages. This tells one by the fields that it begins with, which
 * must be fields of `ModelProto` with the wire types they have there, up to the graph.
 */
import { MemorySource } from '../../lib/bytes.ts';
import { ProtobufReader, WIRE } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import { MODEL } from './schema.ts';

const WIRE_TYPES = new Map<number, number>(
  Object.values(MODEL).map((field) => [
    field,
    field === MODEL.irVersion || field === MODEL.modelVersion ? WIRE.varint : WIRE.bytes,
  ]),
);

/** `head`: the first bytes of the file, which may end anywhere. */
export function looksLikeOnnx(head: Uint8Array): boolean {
  const reader = new ProtobufReader(new MemorySource(head));
  let fields = 0;
  try {
    while (reader.next()) {
      if (WIRE_TYPES.get(reader.field) !== reader.wire) return false;
      if (reader.field === MODEL.graph) return true;
      if (reader.field === MODEL.irVersion && reader.uint() > 1000) return false;
      else if (reader.field !== MODEL.irVersion) reader.skip();
      fields++;
    }
  } catch (thrown) {
    if (!(thrown instanceof HoneError)) throw thrown;
    // The head ends inside a field: what came before decides.
    return thrown.code === 'file-truncated' && fields > 0;
  }
  return false;
}
