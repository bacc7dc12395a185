/**
 * Cross-entropy of integer labels against unnormalised log-probabilities, one value per row:
 * loss[n] = −log softmax(logits[n])[label[n]]. A label outside [0, classes) gives NaN.
 */
import { equalShapes, formatShape, ShapeError } from '@firsthand/linalg';
import { oneHot } from '../operations/derived.ts';
import { call } from '../ir/node.ts';
import { gather, mul, neg, reshape, sub } from '../operations/ops.ts';
import type { Composite, Node } from '../ir/types.ts';
import { logSoftmax, softmax } from './softmax.ts';
import { describe, operandOf, requireFloat, requireIndex } from '../ir/shapes.ts';

/** Cross-entropy as an operation; called through `crossEntropy`. */
export const crossEntropyComposite: Composite = {
  name: 'crossEntropy',
  infer(_, logits, labels) {
    requireFloat('crossEntropy', logits);
    requireIndex('crossEntropy', labels);
    if (logits.shape.length < 1 || !equalShapes(logits.shape.slice(0, -1), labels.shape)) {
      const expected = `labels of shape ${formatShape(logits.shape.slice(0, -1))}`;
      const problem = `logits ${describe(logits)} need ${expected}, got ${describe(labels)}`;
      throw new ShapeError({
        operation: 'crossEntropy',
        problem,
        operands: [logits, labels].map(operandOf),
        expected,
      });
    }
    if (logits.shape.at(-1) === 0) {
      const problem = `no classes in ${describe(logits)}`;
      throw new ShapeError({
        operation: 'crossEntropy',
        problem,
        operands: [operandOf(logits)],
        expected: 'classes',
      });
    }
    return [{ shape: labels.shape, dtype: logits.dtype }];
  },
  body(_, logits, labels) {
    const picked = gather(logSoftmax(logits), reshape(labels, [...labels.shape, 1]), -1); // (…, 1)
    return [reshape(neg(picked), labels.shape)];
  },
  // ∂(lse(x) − x_label)/∂x = softmax(x) − onehot(label)
  vjp([g], _outs, _attrs, logits, labels) {
    if (g === null || g === undefined) return [null, null];
    const target = oneHot(labels, logits.shape.at(-1)!, logits.dtype);
    return [mul(sub(softmax(logits), target), reshape(g, [...g.shape, 1])), null];
  },
  residuals: (_received, _outs, _attrs, logits, labels) => [[logits, labels], null],
};

/** logits: (…, classes); labels: (…) int32. Result: (…), the loss of each row. */
export function crossEntropy(logits: Node, labels: Node): Node {
  return call(crossEntropyComposite, {}, logits, labels)[0]!;
}
