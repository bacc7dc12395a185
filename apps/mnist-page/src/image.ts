/** Images of digits on canvases: ink with the pixel's byte as its opacity, so that paper and ink are the style sheet's to choose. */
import { PIXELS } from 'mnist/mnist';

const SIDE = Math.sqrt(PIXELS);

/** Shows an image, (28 · 28) bytes, on a canvas of 28 × 28; nothing for null. */
export function showImage(canvas: HTMLCanvasElement, pixels: Uint8Array | null): void {
  const image = new ImageData(SIDE, SIDE);
  if (pixels !== null) for (let pixel = 0; pixel < PIXELS; pixel++) image.data[4 * pixel + 3] = pixels[pixel]!;
  // In the page's own memory: the GPU may be lost, and what lies there with it.
  canvas.getContext('2d', { willReadFrequently: true })!.putImageData(image, 0, 0);
}
