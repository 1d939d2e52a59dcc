package server

import (
	"fmt"
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

// ParseByteSize reads a size; the error says what is wanted and what was got.
func ParseByteSize(text string) (ByteSize, error) {
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
		return 0, fmt.Errorf("wants bytes, plain or in KiB, MiB or GiB (64KiB, 1MiB, 16M), got %q", text)
	}
	return ByteSize(n) * unit, nil
}

// UnmarshalText is ParseByteSize for flag and file decoders.
func (b *ByteSize) UnmarshalText(text []byte) error {
	n, err := ParseByteSize(string(text))
	if err == nil {
		*b = n
	}
	return err
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
