/** The kernels: pure functions of addresses and sizes, in memory that TypeScript hands out. */
export { convolve } from "./convolve";
export { add, affine, copy, gate, positive, rectify } from "./pointwise";
export { average, maxPool, share, unpool } from "./pool";
export { list, spread } from "./spread";
