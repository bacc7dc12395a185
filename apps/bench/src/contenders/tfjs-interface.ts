/** What is used here of TensorFlow.js: its tensors and its functions. */

export interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

export interface TfVariable extends TfTensor {
  assign(value: TfTensor): void;
}

/** Keeps tensors until gradients are requested. */
export type Save = (tensors: readonly TfTensor[]) => void;

interface CustomGradient {
  readonly value: TfTensor;
  /** From the gradient of the value, those of the operands. */
  gradFunc(g: TfTensor, saved: readonly TfTensor[]): readonly TfTensor[];
}

type Operand = TfTensor | number;

/** The part of the interface that is used here. */
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T>(fn: () => T): T;
  dispose(tensors: unknown): void;
  /** Takes a tensor out of the tidying around it. */
  keep(tensor: TfTensor): TfTensor;
  tensor(values: Float32Array | Int32Array, shape?: readonly number[], dtype?: string): TfTensor;
  variable(value: TfTensor, trainable: boolean, name: string): TfVariable;
  add(a: Operand, b: Operand): TfTensor;
  sub(a: Operand, b: Operand): TfTensor;
  mul(a: Operand, b: Operand): TfTensor;
  exp(x: TfTensor): TfTensor;
  tanh(x: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  softmax(x: TfTensor): TfTensor;
  sum(x: TfTensor): TfTensor;
  mean(x: TfTensor, axis?: number, keepDims?: boolean): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  transpose(x: TfTensor, permutation?: readonly number[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  pad(x: TfTensor, paddings: readonly (readonly [number, number])[]): TfTensor;
  reverse(x: TfTensor, axes: readonly number[]): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, padding: 'same' | 'valid'): TfTensor;
  maxPool(x: TfTensor, size: number, strides: number, padding: 'valid'): TfTensor;
  oneHot(index: TfTensor, depth: number): TfTensor;
  losses: { softmaxCrossEntropy(oneHot: TfTensor, logits: TfTensor): TfTensor };
  grads(
    fn: (...operands: TfTensor[]) => TfTensor,
  ): (operands: readonly TfTensor[], upstream: TfTensor) => TfTensor[];
  /** A function with a gradient of its own. */
  customGrad<A extends readonly TfTensor[]>(
    fn: (...operands: [...A, Save]) => CustomGradient,
  ): (...operands: A) => TfTensor;
  variableGrads(fn: () => TfTensor): {
    readonly value: TfTensor;
    readonly grads: Readonly<Record<string, TfTensor>>;
  };
  train: {
    adam(
      rate: number,
      beta1: number,
      beta2: number,
      epsilon: number,
    ): { applyGradients(gradients: Readonly<Record<string, TfTensor>>): void };
  };
}
