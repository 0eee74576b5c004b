/** ONNX as a format of the registry. */
import type { Format } from '../format.ts';
import { looksLikeOnnx } from './detect.ts';
import { readOnnx } from './read.ts';

export const onnx: Format = {
  id: 'onnx',
  title: 'ONNX',
  detect: (head, path) => looksLikeOnnx(head) || path.toLowerCase().endsWith('.onnx'),
  read: readOnnx,
};
