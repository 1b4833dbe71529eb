/** What acts on every number by itself. Counts are numbers, not bytes; ends are scalar. */

/** output = max(input, floor). May be in place. */
export function rectify(input: usize, output: usize, count: i32, floor: f32): void {
  const least = f32x4.splat(floor);
  const fours = count & ~3;
  for (let n = 0; n < fours; n += 4) {
    const at = (<usize>n) << 2;
    v128.store(output + at, f32x4.max(v128.load(input + at), least));
  }
  for (let n = fours; n < count; n++) {
    const at = (<usize>n) << 2;
    store<f32>(output + at, max(load<f32>(input + at), floor));
  }
}

/** mask = 1 where the input is positive, u8. */
export function positive(input: usize, mask: usize, count: i32): void {
  for (let n = 0; n < count; n++) {
    store<u8>(mask + <usize>n, load<f32>(input + ((<usize>n) << 2)) > 0 ? 1 : 0);
  }
}

/** In place: what is not masked, or not above the floor, becomes zero. */
export function gate(signal: usize, mask: usize, count: i32, floor: f32): void {
  for (let n = 0; n < count; n++) {
    const at = signal + ((<usize>n) << 2);
    if (!(load<u8>(mask + <usize>n) && load<f32>(at) > floor)) store<f32>(at, 0);
  }
}

/** target += signal. */
export function add(signal: usize, target: usize, count: i32): void {
  const fours = count & ~3;
  for (let n = 0; n < fours; n += 4) {
    const at = (<usize>n) << 2;
    v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(signal + at)));
  }
  for (let n = fours; n < count; n++) {
    const at = (<usize>n) << 2;
    store<f32>(target + at, load<f32>(target + at) + load<f32>(signal + at));
  }
}

/** output = input * scale + shift, by channel. places: how many; scale, shift: [C]. */
export function affine(
  input: usize,
  output: usize,
  places: i32,
  channels: i32,
  scale: usize,
  shift: usize,
): void {
  for (let p = 0; p < places; p++) {
    for (let c = 0; c < channels; c++) {
      const at = (<usize>c) << 2;
      store<f32>(
        output + at,
        load<f32>(input + at) * load<f32>(scale + at) + load<f32>(shift + at),
      );
    }
    input += (<usize>channels) << 2;
    output += (<usize>channels) << 2;
  }
}

/** Copy `count` runs of `run` numbers; pitches: numbers from one run to the next. */
export function copy(
  from: usize,
  fromPitch: i32,
  to: usize,
  toPitch: i32,
  count: i32,
  run: i32,
): void {
  for (let n = 0; n < count; n++) {
    memory.copy(to, from, (<usize>run) << 2);
    from += (<usize>fromPitch) << 2;
    to += (<usize>toPitch) << 2;
  }
}
