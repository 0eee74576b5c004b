/** A value that follows another at most once in a while: for what is read aloud. */
import { useEffect, useRef, useState } from 'react';

/** `every` in milliseconds. */
export function useThrottled<Value>(value: Value, every: number): Value {
  const [shown, setShown] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, last.current + every - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      setShown(value);
    }, wait);
    return () => clearTimeout(timer);
  }, [value, every]);
  return shown;
}
