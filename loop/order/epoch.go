package order

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// Epoch is a random name of one run of an order. Places in the order begin at 1 in each
// run: a place means something together with its epoch only. The zero value is none.
type Epoch uint64

func newEpoch() (e Epoch) {
	for e == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails: the process would end
		e = Epoch(binary.NativeEndian.Uint64(b[:]))
	}
	return e
}

// String is the textual form, of 16 hexadecimal digits.
func (e Epoch) String() string { return fmt.Sprintf("%016x", uint64(e)) }
