/**
 * The few ONNX models that the benchmark needs, as bytes. A model is a protocol-buffers message: fields, each
 * a number that holds field number and wire type, then a number in LEB128 or a length and that many bytes.
 * Field numbers are those of onnx.proto (ONNX 1.16, IR version 9).
 */
import { LAYER_NORM_EPSILON, type MapTask, type MatmulTask } from './tasks.ts';

type Message = readonly number[];

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...leb(Math.floor(value / 0x80))];
}

/** Wire type 0. @param value a natural number */
const integer = (field: number, value: number): Message => [...leb(field * 8), ...leb(value)];
/** Wire type 2. */
const bytes = (field: number, content: readonly number[]): Message => [
  ...leb(field * 8 + 2),
  ...leb(content.length),
  ...content,
];
const text = (field: number, content: string): Message =>
  bytes(field, [...new TextEncoder().encode(content)]);
const message = (field: number, ...parts: readonly Message[]): Message => bytes(field, parts.flat());
/** Wire type 5, four bytes. */
const float = (field: number, value: number): Message => [
  ...leb(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];

/** AttributeProto: its name, its value, and the type that says where the value is. */
const ATTRIBUTES = {
  float: (name: string, value: number): Message => message(5, text(1, name), float(2, value), integer(20, 1)),
  integer: (name: string, value: number): Message =>
    message(5, text(1, name), integer(3, value), integer(20, 2)),
  string: (name: string, value: string): Message => message(5, text(1, name), text(4, value), integer(20, 3)),
};

/** An operation of a graph. */
interface Operation {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: readonly Message[];
}

/** A tensor that goes into the graph, or comes out of it. */
interface Port {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A graph of float32 tensors. */
export interface OnnxGraph {
  readonly operations: readonly Operation[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const IR_VERSION = 9;
/** Of the operators without a domain; the first that has Gelu. */
const OPERATOR_SET = 20;
const FLOAT32 = 1;

/** ValueInfoProto with a TypeProto, which says TensorTypeProto, which says TensorShapeProto. */
function port(field: number, { name, shape }: Port): Message {
  const dimensions = shape.map((extent) => message(1, integer(1, extent)));
  const tensor = message(1, integer(1, FLOAT32), message(2, ...dimensions));
  return message(field, text(1, name), message(2, tensor));
}

/** NodeProto. */
function operation({ type, inputs, output, attributes = [] }: Operation): Message {
  return message(1, ...inputs.map((name) => text(1, name)), text(2, output), text(4, type), ...attributes);
}

/** ModelProto with its GraphProto. */
export function encodeModel({ operations, inputs, outputs }: OnnxGraph): Uint8Array {
  const graph = message(
    7,
    ...operations.map(operation),
    text(2, 'bench'),
    ...inputs.map((each) => port(11, each)),
    ...outputs.map((each) => port(12, each)),
  );
  return Uint8Array.from([...integer(1, IR_VERSION), ...graph, ...message(8, integer(2, OPERATOR_SET))]);
}

/** `MatMul`, as often as the chain is long; with transposed factors `Gemm`. */
export function matmulGraph({ batch, m, k, n, transposeA, transposeB, chain }: MatmulTask): OnnxGraph {
  const batched = (rows: number, columns: number): number[] =>
    batch === 1 ? [rows, columns] : [batch, rows, columns];
  const transposes = [
    ATTRIBUTES.integer('transA', Number(transposeA)),
    ATTRIBUTES.integer('transB', Number(transposeB)),
  ];
  const how = transposeA || transposeB ? { type: 'Gemm', attributes: transposes } : { type: 'MatMul' };
  return {
    operations: Array.from({ length: chain }, (_, link) => ({
      ...how,
      inputs: [link === 0 ? 'a' : `y${link}`, 'b'],
      output: link + 1 === chain ? 'y' : `y${link + 1}`,
    })),
    inputs: [
      { name: 'a', shape: transposeA ? batched(k, m) : batched(m, k) },
      { name: 'b', shape: transposeB ? batched(n, k) : batched(k, n) },
    ],
    outputs: [{ name: 'y', shape: batched(m, n) }],
  };
}

const OPERATORS: {
  readonly [K in MapTask['map']]: { readonly type: string; readonly attributes?: readonly Message[] };
} = {
  add: { type: 'Add' },
  exp: { type: 'Exp' },
  gelu: { type: 'Gelu', attributes: [ATTRIBUTES.string('approximate', 'tanh')] },
  softmax: { type: 'Softmax', attributes: [ATTRIBUTES.integer('axis', 1)] },
  layerNorm: {
    type: 'LayerNormalization',
    attributes: [ATTRIBUTES.integer('axis', 1), ATTRIBUTES.float('epsilon', LAYER_NORM_EPSILON)],
  },
  sum: { type: 'ReduceSum', attributes: [ATTRIBUTES.integer('keepdims', 0)] },
};

/** @param shapes of the operands, `x0`, `x1` and so on */
export function mapGraph({ map, rows, columns }: MapTask, shapes: readonly (readonly number[])[]): OnnxGraph {
  const inputs = shapes.map((shape, index) => ({ name: `x${index}`, shape }));
  return {
    operations: [{ ...OPERATORS[map], inputs: inputs.map(({ name }) => name), output: 'y' }],
    inputs,
    outputs: [{ name: 'y', shape: map === 'sum' ? [] : [rows, columns] }],
  };
}
