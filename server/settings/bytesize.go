package settings

import (
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes that people write as "64KiB", "1MiB", "16M"
// or plain "65536". K, M and G mean the same as KiB, MiB and GiB here: limits
// on memory are powers of two. "64KB" is refused, because half of its readers
// would take it for 64,000.
type ByteSize int

// The units, largest first: String picks the first that divides.
var byteUnits = []struct {
	size        ByteSize
	long, short string
}{
	{1 << 30, "GiB", "G"},
	{1 << 20, "MiB", "M"},
	{1 << 10, "KiB", "K"},
}

const wantsByteSize = "bytes, plain or in KiB, MiB or GiB (64KiB, 1MiB, 16M)"

// parseByteSize reads a size; it is false where text is none.
func parseByteSize(text string) (ByteSize, bool) {
	digits, unit := strings.TrimSpace(text), ByteSize(1)
	for _, u := range byteUnits {
		rest, found := strings.CutSuffix(digits, u.long)
		if !found {
			rest, found = strings.CutSuffix(digits, u.short)
		}
		if found {
			digits, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	// ParseUint takes no sign and, in base 10, no underscores.
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > uint64(math.MaxInt/int(unit)) {
		return 0, false
	}
	return ByteSize(n) * unit, true
}

// String is exact: the largest unit that divides the size, or plain bytes.
func (b ByteSize) String() string {
	for _, u := range byteUnits {
		if b != 0 && b%u.size == 0 {
			return strconv.Itoa(int(b/u.size)) + u.long
		}
	}
	return strconv.Itoa(int(b))
}
