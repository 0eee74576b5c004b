/** Types in the protobuf of an ML Program. Field numbers: `schema.ts`. */
import type { ProtobufReader } from '../../lib/protobuf-reader.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { MilType } from './program.ts';
import {
  CONSTANT_DIMENSION,
  DICTIONARY_TYPE,
  DIMENSION,
  LIST_TYPE,
  milDTypeFromCode,
  NAMED_TYPE,
  TENSOR_TYPE,
  VALUE_TYPE,
} from './schema.ts';

/** A value's declaration: its name and its type. */
export function readNamedType(reader: ProtobufReader): { name: string; type: MilType } {
  let name = '';
  let type: MilType | null = null;
  while (reader.next()) {
    if (reader.field === NAMED_TYPE.name) name = reader.string();
    else if (reader.field === NAMED_TYPE.type) type = reader.message(readValueType);
    else reader.skip();
  }
  if (type === null) throw reader.corrupt(`The value ${name} has no type.`);
  return { name, type };
}

export function readValueType(reader: ProtobufReader): MilType {
  let type: MilType | null = null;
  while (reader.next()) {
    if (reader.field === VALUE_TYPE.tensor) type = reader.message(readTensorType);
    else if (reader.field === VALUE_TYPE.list || reader.field === VALUE_TYPE.dictionary) {
      const container = reader.field === VALUE_TYPE.list ? 'list' : 'dictionary';
      const element = container === 'list' ? LIST_TYPE.type : DICTIONARY_TYPE.key;
      type = reader.message((inner) => {
        let dtype: MilType['dtype'] = 'string';
        while (inner.next()) {
          if (inner.field === element) dtype = inner.message(readValueType).dtype;
          else inner.skip();
        }
        return { dtype, shape: [], container } as const;
      });
    } else reader.skip();
  }
  if (type === null)
    throw new HoneError('format-unsupported', 'The program has a value of a type that Hone does not read.');
  return type;
}

function readTensorType(reader: ProtobufReader): MilType {
  let code = 0;
  const shape: (number | null)[] = [];
  while (reader.next()) {
    if (reader.field === TENSOR_TYPE.dataType) code = reader.uint();
    else if (reader.field === TENSOR_TYPE.dimensions) shape.push(reader.message(readDimension));
    else reader.skip();
  }
  const dtype = milDTypeFromCode(code);
  if (dtype === null) throw new HoneError('format-unsupported', `The program has elements of the type ${code}.`);
  return { dtype, shape };
}

function readDimension(reader: ProtobufReader): number | null {
  let size: number | null = null;
  while (reader.next()) {
    if (reader.field !== DIMENSION.constant) reader.skip();
    else {
      size = 0;
      reader.message((inner) => {
        while (inner.next()) {
          if (inner.field === CONSTANT_DIMENSION.size) size = inner.uint();
          else inner.skip();
        }
      });
    }
  }
  return size;
}
