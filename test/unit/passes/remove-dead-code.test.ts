import { describe, expect, it } from 'vitest';
import { Graph } from '../../../native-workers/graph/graph.ts';
import { removeDeadCode } from '../../../native-workers/passes/remove-dead-code.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { countsOf, operators, runPass } from '../../helpers/passes.ts';

describe('remove-dead-code', () => {
  it('removes chains that nothing reads, with their weights', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['n', 4]);
    build.op('Relu', [build.op('MatMul', [x, build.weight('unread', [4, 4])], 'product')], 'dead');
    const model = build.outputs(build.op('Neg', [x], 'y')).model();
    expect(countsOf(await runPass(removeDeadCode, model))).toEqual({ 'nodes removed': 2, 'weights removed': 1 });
    expect(operators(model)).toEqual(['Neg']);
    expect(model.graph.initializers.size).toBe(0);
  });

  it('is unchanged where everything is read', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const model = build.outputs(build.op('Add', [x, build.weight('w', [4])], 'y')).model();
    expect((await runPass(removeDeadCode, model)).status).toBe('unchanged');
  });

  it('keeps nodes of unknown domains, unread inputs and their defaults', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const optional = build.weight('default', [4]);
    build.graph.inputs.push(optional);
    build.input('unused', [1]);
    build.op('Log', [x], 'logged', {}, 'com.example');
    const model = build.outputs(build.op('Neg', [x], 'y')).model();
    expect((await runPass(removeDeadCode, model)).status).toBe('unchanged');
    expect(operators(model)).toEqual(['com.example:Log', 'Neg']);
    expect(model.graph.inputs.map((input) => input.name)).toEqual(['x', 'default', 'unused']);
    expect(model.graph.initializers.size).toBe(1);
  });

  it('removes functions that nothing calls, and keeps those that called ones call', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4]);
    const model = build.outputs(build.op('Outer', [x], 'y', {}, 'local')).model();
    const named = (name: string, calls?: string) => {
      const body = new Graph(name);
      if (calls !== undefined) body.addNode({ opType: calls, domain: 'local' });
      const opsets = new Map([['', 17]]);
      const attributeDefaults = new Map();
      return {
        name,
        domain: 'local',
        overload: '',
        docString: '',
        body,
        opsets,
        attributes: [],
        attributeDefaults,
        opaqueFields: null,
      };
    };
    model.functions = [named('Outer', 'Inner'), named('Inner'), named('Other')];
    expect(countsOf(await runPass(removeDeadCode, model))).toEqual({ 'functions removed': 1 });
    expect(model.functions.map((each) => each.name)).toEqual(['Outer', 'Inner']);
  });
});
