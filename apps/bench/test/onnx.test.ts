// ONNX models as bytes. The expected bytes are those of the generated encoder of the npm package onnx-proto
// 8.0.1, made from ONNX's own onnx.proto, for the same messages.
import { expect, test } from 'vitest';
import { encodeModel, mapGraph, matmulGraph } from '../src/onnx.ts';

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

test('integers, floats and extents over 127', () => {
  const graph = mapGraph({ kind: 'map', map: 'layerNorm', gradient: false, rows: 300, columns: 4 }, [
    [300, 4],
    [4],
    [4],
  ]);
  expect(hex(encodeModel(graph))).toBe(
    '08093a9d010a430a0278300a0278310a02783212017922124c617965724e6f726d616c697a6174696f6e2a0b0a04617869731801a001022a110a07657073696c6f6e15acc52737' +
      'a00101120562656e63685a150a027830120f0a0d080112090a0308ac020a0208045a100a027831120a0a08080112040a0208045a100a027832120a0a08080112040a020804' +
      '62140a0179120f0a0d080112090a0308ac020a02080442021014',
  );
});

test('strings', () => {
  const graph = mapGraph({ kind: 'map', map: 'gelu', gradient: false, rows: 3, columns: 4 }, [[3, 4]]);
  expect(hex(encodeModel(graph))).toBe(
    '08093a590a250a027830120179220447656c752a160a0b617070726f78696d617465220474616e68a00103120562656e63685a140a027830120e0a0c080112080a0208030a020804' +
      '62130a0179120e0a0c080112080a0208030a02080442021014',
  );
});

test('transposed factors', () => {
  const graph = matmulGraph({
    kind: 'matmul',
    batch: 1,
    m: 2,
    k: 3,
    n: 200,
    transposeA: true,
    transposeB: false,
    chain: 1,
  });
  expect(hex(encodeModel(graph))).toBe(
    '08093a770a2d0a01610a0162120179220447656d6d2a0d0a067472616e73411801a001022a0d0a067472616e73421800a00102120562656e63685a130a0161120e0a0c080112080a' +
      '0208030a0208025a140a0162120f0a0d080112090a0208030a0308c80162140a0179120f0a0d080112090a0208020a0308c80142021014',
  );
});

test('a chain of products is a chain of operations', () => {
  const { operations } = matmulGraph({
    kind: 'matmul',
    batch: 1,
    m: 2,
    k: 2,
    n: 2,
    transposeA: false,
    transposeB: false,
    chain: 3,
  });
  expect(operations.map(({ type, inputs, output }) => `${output} = ${type}(${inputs.join(', ')})`)).toEqual([
    'y1 = MatMul(a, b)',
    'y2 = MatMul(y1, b)',
    'y = MatMul(y2, b)',
  ]);
});
