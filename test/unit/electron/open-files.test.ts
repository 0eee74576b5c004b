/** Files that the system asks to open wait for a page, and are found among the arguments of a start. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesInArguments, OpenFiles } from '../../../electron/open-files.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('files to open', () => {
  it('wait for the page, come once, and wait again when it is gone', () => {
    const files = new OpenFiles();
    const opened: string[] = [];
    const page = (path: string): unknown => opened.push(path);
    files.add(['a', 'b']);
    expect(opened).toEqual([]);
    files.pageReady(page);
    expect(opened).toEqual(['a', 'b']);
    files.add(['c']);
    files.pageReady(page);
    expect(opened).toEqual(['a', 'b', 'c']);
    files.pageGone();
    files.add(['d']);
    expect(opened).toEqual(['a', 'b', 'c']);
    files.pageReady(page);
    expect(opened).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('the arguments of a start', () => {
  it('hold the files that are there, from the folder of the start', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a model.onnx'), '');
    const model = join(folder, 'a model.onnx');
    const packaged = (...rest: string[]): string[] => filesInArguments(['/opt/hone', ...rest], 1, folder);
    expect(packaged()).toEqual([]);
    expect(packaged('a model.onnx', model, 'missing.onnx')).toEqual([model, model]);
    expect(packaged('--enable-logging', '--user-data-dir=/x', 'a model.onnx')).toEqual([model]);
    expect(filesInArguments(['/electron', '--inspect=0', folder, 'a model.onnx'], 2, folder)).toEqual([model]);
    expect(filesInArguments(['/electron', folder], 2, folder)).toEqual([]);
  });
});
