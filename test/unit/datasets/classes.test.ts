import { describe, expect, it } from 'vitest';
import {
  findClassList,
  orderClasses,
  parseClassList,
  sortClassNames,
} from '../../../native-workers/datasets/classes.ts';
import { writeFiles } from '../../helpers/sample-pictures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('class lists', () => {
  it('are lines, JSON lists, names by index or indexes by name', () => {
    expect(parseClassList('a\r\nb \n\nc\n\n', 'labels.txt')).toEqual(['a', 'b', '', 'c']);
    expect(parseClassList('["a","b"]', 'labels.json')).toEqual(['a', 'b']);
    expect(parseClassList('{"0":"a","1":"b"}', 'labels.json')).toEqual(['a', 'b']);
    expect(parseClassList('{"b":1,"a":0}', 'labels.json')).toEqual(['a', 'b']);
  });

  it.each(['{"a":0,"b":0}', '{"a":0,"b":2}', '{"a":"x"}', 'no json', '3'])('are refused when they are %s', (text) => {
    expect(() => parseClassList(text, 'labels.json')).toThrow(expect.objectContaining({ code: 'labels-invalid' }));
  });

  it('are found in the first folder that has one', async () => {
    const [near, far] = [temporaryFolder(), temporaryFolder()];
    expect(await findClassList([near, far])).toBeNull();
    writeFiles(far, { 'labels.txt': 'far' });
    expect(await findClassList([near, far])).toMatchObject({ names: ['far'] });
    writeFiles(near, { 'classes.json': '["near"]' });
    expect(await findClassList([near, far])).toMatchObject({ names: ['near'] });
  });
});

describe('orderClasses', () => {
  const indexes = (order: ReturnType<typeof orderClasses>): Record<string, number> => Object.fromEntries(order.indexOf);

  it('sorts names by code unit and numbers by size', () => {
    expect(sortClassNames(['b', 'A', '9', 'a', 'Z', '0'])).toEqual(['0', '9', 'A', 'Z', 'a', 'b']);
    expect(sortClassNames(['10', '9', '1'])).toEqual(['1', '9', '10']);
    expect(orderClasses(['b', 'a', 'b'], null, 2)).toMatchObject({ classes: ['a', 'b'], assumed: true });
  });

  it('takes numbers as indexes where they cannot be all of the classes', () => {
    const order = orderClasses(['3', '7'], null, 10);
    expect(indexes(order)).toEqual({ 3: 3, 7: 7 });
    expect(order).toMatchObject({ assumed: false });
    expect(order.classes).toHaveLength(10);
    // Folders 1 to 3 of a model of three classes are its classes in order.
    expect(indexes(orderClasses(['1', '2', '3'], null, 3))).toEqual({ 1: 0, 2: 1, 3: 2 });
  });

  it('follows a list that has the names, reads one of as many lines in order, and leaves another alone', () => {
    const list = { path: 'labels.txt', names: ['z', 'b', 'a'] };
    expect(orderClasses(['a', 'b'], list, 3)).toMatchObject({ classes: ['z', 'b', 'a'], assumed: false });
    expect(indexes(orderClasses(['n3', 'n1', 'n2'], list, 3))).toEqual({ n1: 0, n2: 1, n3: 2 });
    expect(orderClasses(['n1', 'n2'], list, 3)).toMatchObject({
      classes: ['n1', 'n2'],
      assumed: true,
      notes: [{ code: 'classes-file-unused' }],
    });
    expect(() => orderClasses(['a', 'q'], list, 3)).toThrow(expect.objectContaining({ code: 'labels-invalid' }));
  });
});
