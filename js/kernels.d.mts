/** Types of kernels.mjs, for its test. */
export function compile(...features: string[]): Promise<Uint8Array>;
