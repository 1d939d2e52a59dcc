package wire

import (
	"hash/fnv"
	"testing"

	"pgregory.net/rapid"
)

// These never change: nodes of different versions compare them.
func TestHashGolden(t *testing.T) {
	for name, want := range map[string]uint64{
		"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8,
		"123": 0x456fc2181822c4db, "room:1": 0xbf459e24f7eb6863, "Küche 7": 0x26421f8b4f6dbdac,
	} {
		if got := Hash(name); got != want {
			t.Errorf("%q: %#x, want %#x", name, got, want)
		}
	}
}

func TestHashIsFNV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		h := fnv.New64a()
		_, _ = h.Write([]byte(name))
		if got := Hash(name); got != h.Sum64() {
			t.Errorf("%q: %#x, want %#x", name, got, h.Sum64())
		}
	})
}

func TestAllocsHash(t *testing.T) {
	name, sum := "room:12345", uint64(0)
	if got := testing.AllocsPerRun(100, func() { sum += Hash(name) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
	_ = sum
}
