package protocol

// escapes holds, for every byte, what takes its place in a JSON string: 0 the
// byte itself, 'u' the form \u00XX, 'E' perhaps the start of U+2028 or U+2029,
// any other a backslash and that letter.
var escapes = [256]byte{
	0x00: 'u', 0x01: 'u', 0x02: 'u', 0x03: 'u', 0x04: 'u', 0x05: 'u', 0x06: 'u', 0x07: 'u',
	0x08: 'b', 0x09: 't', 0x0a: 'n', 0x0b: 'u', 0x0c: 'f', 0x0d: 'r', 0x0e: 'u', 0x0f: 'u',
	0x10: 'u', 0x11: 'u', 0x12: 'u', 0x13: 'u', 0x14: 'u', 0x15: 'u', 0x16: 'u', 0x17: 'u',
	0x18: 'u', 0x19: 'u', 0x1a: 'u', 0x1b: 'u', 0x1c: 'u', 0x1d: 'u', 0x1e: 'u', 0x1f: 'u',
	'"': '"', '\\': '\\', 0xe2: 'E',
}

// appendQuoted appends s, which must be UTF-8, as a JSON string (RFC 8259, 7).
// U+2028 and U+2029 are escaped too: JSON does not ask for it, but they end a
// line in older JavaScript, where a reply may be pasted into a script.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		e := escapes[s[i]]
		if e == 0 || e == 'E' && !isLineSeparator(s[i:]) {
			continue
		}
		dst = append(dst, s[from:i]...)
		switch e {
		case 'u':
			dst = append(dst, '\\', 'u', '0', '0', digits[s[i]>>4], digits[s[i]&0xf])
		case 'E':
			i += 2
			dst = append(dst, '\\', 'u', '2', '0', '2', digits[s[i]&0xf])
		default:
			dst = append(dst, '\\', e)
		}
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// quotedLen returns how many bytes appendQuoted appends for s.
func quotedLen[T string | []byte](s T) int {
	n := len(`""`) + len(s)
	for i := 0; i < len(s); i++ {
		switch escapes[s[i]] {
		case 0:
		case 'u':
			n += len(`\u0000`) - 1
		case 'E':
			if isLineSeparator(s[i:]) {
				n += len(`\u2028`) - len("\u2028")
			}
		default:
			n++
		}
	}
	return n
}

// isLineSeparator reports whether s, which starts with 0xe2, starts with
// U+2028 or U+2029.
func isLineSeparator[T string | []byte](s T) bool {
	return len(s) >= 3 && s[1] == 0x80 && s[2]&^1 == 0xa8
}
