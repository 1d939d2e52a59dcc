package main

import (
	"encoding/binary"
	"strings"
)

// stamp is what every message says about itself. It is written as fixed-width hexadecimal text, so that it needs no
// JSON escapes and a person can read it in a capture:
//
//	gggggggg pppppppp ssssssss tttttttttttttttt abcdefgh...
type stamp struct {
	group, publisher, seq uint32
	intended              int64 // when it was meant to be sent, in nanoseconds of clock()
}

// stampBytes is the length of a stamp as text, and so the smallest payload.
const stampBytes = 8 + 1 + 8 + 1 + 8 + 1 + 16 + 1

const paddingPattern = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// padding is what follows the stamp in a payload of the given size. It is compared on arrival: a server that mixes up
// its buffers is noticed even where the stamp survived.
func padding(size int) string {
	n := size - stampBytes
	return strings.Repeat(paddingPattern, n/len(paddingPattern)+1)[:n]
}

// put writes the stamp into the first stampBytes of b.
func (s stamp) put(b []byte) {
	_ = b[stampBytes-1]
	putHex(b[0:], s.group)
	b[8] = ' '
	putHex(b[9:], s.publisher)
	b[17] = ' '
	putHex(b[18:], s.seq)
	b[26] = ' '
	putHex(b[27:], uint32(uint64(s.intended)>>32))
	putHex(b[35:], uint32(s.intended))
	b[43] = ' '
}

// readStamp reads what put wrote; ok is false for anything that put cannot have written. It does not allocate.
func readStamp(b []byte) (s stamp, ok bool) {
	if len(b) < stampBytes {
		return s, false
	}
	group, ok1 := hex(b[0:])
	publisher, ok2 := hex(b[9:])
	seq, ok3 := hex(b[18:])
	high, ok4 := hex(b[27:])
	low, ok5 := hex(b[35:])
	spaced := b[8] == ' ' && b[17] == ' ' && b[26] == ' ' && b[43] == ' '
	s = stamp{group, publisher, seq, int64(uint64(high)<<32 | uint64(low))}
	return s, ok1 && ok2 && ok3 && ok4 && ok5 && spaced
}

// Eight hexadecimal digits at once, a byte lane per digit: this runs five times per delivery.
const (
	lanes      = 0x0101010101010101
	lowNibbles = lanes * 0x0f
)

func putHex(b []byte, v uint32) {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & lowNibbles
	binary.BigEndian.PutUint64(b, digits(x))
}

// digits turns a nibble per lane into its character: '0' plus the nibble, plus 39 for the letters.
func digits(x uint64) uint64 {
	letters := ((x + lanes*6) >> 4) & lanes
	return x + lanes*'0' + letters*('a'-'0'-10)
}

func hex(b []byte) (uint32, bool) {
	text := binary.BigEndian.Uint64(b)
	x := (text & lowNibbles) + (text>>6&lanes)*9
	if x&^uint64(lowNibbles) != 0 || digits(x) != text { // only what putHex writes reads back as itself
		return 0, false
	}
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	x = (x | x>>16) & 0x00000000ffffffff
	return uint32(x), true
}
