package settings

import "testing"

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
		got, ok := parseByteSize(text)
		if !ok || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "x", "-1", "+1", "1.5MiB", "64KB", "64kb", "KiB", "1TiB", "1_000", "0x10", "1MiBKiB",
		"9223372036854775808", "8589934592GiB", "99999999999999999999",
	} {
		if got, ok := parseByteSize(text); ok {
			t.Errorf("%q: got %d; want none", text, got)
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
		if back, ok := parseByteSize(size.String()); !ok || back != size {
			t.Errorf("%q read back: %d, %v", size, int(back), ok)
		}
	}
}

func FuzzByteSize(f *testing.F) {
	for _, seed := range []string{"64KiB", "16M", "1", "8589934592GiB", "-1", "1.5K"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, ok := parseByteSize(text)
		if !ok {
			return
		}
		if size < 0 {
			t.Fatalf("%q is negative: %d", text, size)
		}
		if back, ok := parseByteSize(size.String()); !ok || back != size {
			t.Fatalf("%q is %d, read back as %d, %v", text, size, back, ok)
		}
	})
}

func TestFileMode(t *testing.T) {
	for text, want := range map[string]FileMode{"0660": 0o660, "660": 0o660, "0o600": 0o600, "0": 0, "0777": 0o777} {
		if got, ok := parseFileMode(text); !ok || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "rw", "0888", "-1", "0o"} {
		if got, ok := parseFileMode(text); ok {
			t.Errorf("%q: got %s; want none", text, got)
		}
	}
}
