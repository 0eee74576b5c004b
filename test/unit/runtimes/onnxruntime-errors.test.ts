import { describe, expect, it } from 'vitest';
import {
  cleanMessage,
  failureOfOpen,
  failureOfRun,
  nodeOf,
} from '../../../native-workers/runtimes/onnxruntime-errors.ts';

describe('texts of ONNX Runtime', () => {
  it('lose colours, sources and assertions, and keep the words', () => {
    const webgpu =
      '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n';
    expect(cleanMessage(webgpu)).toBe('Failed to get a WebGPU adapter: No supported adapters');
    expect(cleanMessage('\u001b[1;31m[ONNXRuntimeError] : 1 : FAIL : Bad\n thing\u001b[m')).toBe('Bad thing');
    expect(cleanMessage('failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: Bad idx')).toBe('Bad idx');
    expect(cleanMessage('Load model from /a b/m.onnx failed:Fatal error: a:Op(-1) is unknown')).toBe(
      'a:Op(-1) is unknown',
    );
    expect(cleanMessage('Load failed: see onnxruntime::Foo for more')).toBe(
      'Load failed: see onnxruntime::Foo for more',
    );
  });

  it.each([
    ["Non-zero status code returned while running Gather node. Name:'pick' Status Message: idx=9", 'pick'],
    ["Non-zero status code returned while running Gather node. Name:'' Status Message: idx=9", 'Gather'],
    ['In Node, ("odd", Foo, "", -1) : ("x": tensor(float)) -> ("y")', 'odd'],
    ["Type 'tensor(float)' of input parameter (x) of operator (Reshape) in node (my node) is invalid.", 'my node'],
    ['Node (conv 1) Op (Conv) [ShapeInferenceError] Input tensor must have at least 3 dimensions', 'conv 1'],
    ['com.acme:Fancy(-1) is not a registered function/op', 'com.acme:Fancy'],
    ['Error No Op registered for Foo with domain_version of 21', 'Foo'],
    ["Could not find an implementation for Identity(21) node with name 'id'", 'id'],
  ])('name the node: %s', (text, node) => {
    expect(nodeOf(text)).toEqual({ node });
  });

  it('name no node where there is none', () => {
    expect(nodeOf('protobuf parsing failed')).toEqual({});
    expect(failureOfRun('text').where).toBeUndefined();
  });

  it('become the code that fits', () => {
    const code = (text: string, provider = 'cpu') => failureOfOpen(new Error(text), '/m.onnx', provider).code;
    expect(code("Load model from /m.onnx failed. File doesn't exist")).toBe('file-missing');
    expect(code('Failed to load shared library', 'cuda')).toBe('provider-unavailable');
    expect(code('Failed to load shared library')).toBe('runtime-rejected-model');
    expect(code('Type Error: bad', 'cuda')).toBe('runtime-rejected-model');
    expect(failureOfRun(failureOfRun('again')).code).toBe('runtime-failed');
  });
});
