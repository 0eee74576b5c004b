/** TensorFlow Lite as a format of the registry. */
import { type Format, hasText } from '../format.ts';
import { readTflite } from './read.ts';
import { FILE_IDENTIFIER } from './schema.ts';

export const tflite: Format = {
  id: 'tflite',
  title: 'TensorFlow Lite',
  detect: (head) => hasText(head, 4, FILE_IDENTIFIER),
  read: readTflite,
};
