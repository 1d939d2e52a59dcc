package server

import (
	"strings"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0":                   0,
		"1":                   1,
		"65536":               64 << 10,
		"64KiB":               64 << 10,
		"64K":                 64 << 10,
		"64 KiB":              64 << 10,
		" 1MiB ":              1 << 20,
		"16M":                 16 << 20,
		"1GiB":                1 << 30,
		"1G":                  1 << 30,
		"9223372036854775807": 1<<63 - 1,
		"8589934591GiB":       8589934591 << 30,
	} {
		got, err := ParseByteSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "x", "-1", "+1", "1.5MiB", "64KB", "64kb", "KiB", "1TiB", "1_000", "0x10", "1MiBKiB",
		"9223372036854775808", "8589934592GiB", "99999999999999999999",
	} {
		if got, err := ParseByteSize(text); err == nil {
			t.Errorf("%q: got %d; want an error", text, got)
		} else if !strings.Contains(err.Error(), "wants") {
			t.Errorf("%q: the error does not say what is wanted: %v", text, err)
		}
	}
}

func TestByteSizeStringIsExact(t *testing.T) {
	for want, size := range map[string]ByteSize{
		"0": 0, "1": 1, "1023": 1023, "1KiB": 1024, "1025": 1025, "64KiB": 64 << 10, "1MiB": 1 << 20,
		"1025KiB": 1<<20 + 1<<10, "3GiB": 3 << 30,
	} {
		if got := size.String(); got != want {
			t.Errorf("%d: got %q, want %q", int(size), got, want)
		}
		if back, err := ParseByteSize(size.String()); err != nil || back != size {
			t.Errorf("%q read back: %d, %v", size, int(back), err)
		}
	}
}

func FuzzByteSize(f *testing.F) {
	for _, seed := range []string{"64KiB", "16M", "1", "8589934592GiB", "-1", "1.5K"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseByteSize(text)
		if err != nil {
			return
		}
		if size < 0 {
			t.Fatalf("%q is negative: %d", text, size)
		}
		if back, err := ParseByteSize(size.String()); err != nil || back != size {
			t.Fatalf("%q is %d, read back as %d, %v", text, size, back, err)
		}
	})
}

func TestFileMode(t *testing.T) {
	for text, want := range map[string]FileMode{"0660": 0o660, "660": 0o660, "0o600": 0o600, "0": 0, "0777": 0o777} {
		var got FileMode
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "rw", "0888", "1777", "-1"} {
		if err := new(FileMode).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: want an error", text)
		}
	}
}
