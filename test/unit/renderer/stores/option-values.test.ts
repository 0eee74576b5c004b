import { describe, expect, it } from 'vitest';
import type { OptionForm } from '../../../../native-workers/protocol/studio.ts';
import { rawOf, readNumbers, readOption } from '../../../../renderer/stores/option-values.ts';

const form = (kind: OptionForm['kind'], rest: Partial<OptionForm> = {}): OptionForm => ({
  name: 'option',
  description: '',
  kind,
  default: 0,
  ...rest,
});

const read = (option: OptionForm, text: string | boolean) => readOption(option, text);

describe('readOption', () => {
  it.each([
    [form('number'), '0.25', 0.25],
    [form('number'), ' 1e-3 ', 0.001],
    [form('integer'), '8', 8],
    [form('boolean'), true, true],
    [form('text', { default: '' }), 'a, b', 'a, b'],
    [form('choice', { choices: ['minmax', 'mse'], default: 'mse' }), 'minmax', 'minmax'],
    [form('choice', { choices: ['4', '8'], default: 8 }), '4', 4],
    [form('list', { default: [] }), 'a, b', ['a', 'b']],
    [form('list', { default: [] }), '1, 2', [1, 2]],
    [form('list', { default: [] }), '["a,b"]', ['a,b']],
    [form('list', { default: [] }), '', []],
    [form('list', { default: null }), '', null],
    [form('integer', { default: null }), '', null],
  ])('reads %o from %o', (option, text, value) => {
    expect(read(option, text)).toEqual({ ok: true, value });
  });

  it.each([
    [form('number'), '', 'A number is needed here.'],
    [form('number'), 'Infinity', 'A number is needed here.'],
    [form('integer'), '1.5', 'A whole number is needed here.'],
    [form('integer', { minimum: 2 }), '1', 'Must be 2 or more.'],
    [form('integer', { maximum: 8 }), '9', 'Must be 8 or less.'],
    [form('choice', { choices: ['minmax', 'mse'] }), 'max', 'Choose one of minmax, mse.'],
    [form('list'), 'a,,b', 'Separate the items with commas, or write a JSON list.'],
    [form('list'), '[1, 2', 'Separate the items with commas, or write a JSON list.'],
    [form('list', { choices: ['Conv'] }), 'Conv, Gem', '“Gem”: Choose one of Conv.'],
  ])('refuses %o from %o', (option, text, problem) => {
    expect(read(option, text)).toEqual({ ok: false, problem });
  });

  it.each([
    [form('list', { default: [] }), ['plain', 'with, comma']],
    [form('list', { default: [] }), [1, 2.5]],
    [form('list', { default: [] }), []],
    [form('list', { default: null }), null],
    [form('number'), 0.1 + 0.2],
    [form('integer', { default: null }), null],
    [form('boolean'), false],
    [form('text', { default: '' }), ' kept as it is '],
  ])('writes %o so that %o reads back', (option, value) => {
    expect(read(option, rawOf(option, value))).toEqual({ ok: true, value });
  });
});

describe('readNumbers', () => {
  it('takes commas and blanks, and nothing as null', () => {
    expect(readNumbers('0.5, 0.4 0.3')).toEqual({ ok: true, value: [0.5, 0.4, 0.3] });
    expect(readNumbers('  ')).toEqual({ ok: true, value: null });
  });

  it('names the item that is wrong', () => {
    expect(readNumbers('1, x')).toEqual({ ok: false, problem: '“x”: A number is needed here.' });
    expect(readNumbers('1, 0', { positive: true })).toEqual({ ok: false, problem: '“0”: Must be more than zero.' });
  });
});
