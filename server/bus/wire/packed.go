package wire

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Entry is a group by its hash, and the last place of a message for it.
type Entry struct{ Hash, Order uint64 }

// Entries are a list in JSON: a string, base64 (with padding) of hash and order of one after the other, 8 bytes
// each, little-endian.
type Entries []Entry

// Hashes are a list in JSON in the same form, hashes alone.
type Hashes []uint64

// Sizes of packed lists.
const (
	entryBytes = 16
	hashBytes  = 8
)

var errPacked = errors.New("want a list as base64")

// MarshalText implements encoding.TextMarshaler.
func (list Entries) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, entryBytes*len(list))
	for _, e := range list {
		raw = binary.LittleEndian.AppendUint64(raw, e.Hash)
		raw = binary.LittleEndian.AppendUint64(raw, e.Order)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. An empty list is nil.
func (list *Entries) UnmarshalText(text []byte) error {
	raw, err := unpack(text, entryBytes)
	if err != nil || len(raw) == 0 {
		*list = nil
		return err
	}
	*list = make(Entries, len(raw)/entryBytes)
	for i := range *list {
		one := raw[i*entryBytes:]
		(*list)[i] = Entry{binary.LittleEndian.Uint64(one), binary.LittleEndian.Uint64(one[hashBytes:])}
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (list Hashes) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, hashBytes*len(list))
	for _, h := range list {
		raw = binary.LittleEndian.AppendUint64(raw, h)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. An empty list is nil.
func (list *Hashes) UnmarshalText(text []byte) error {
	raw, err := unpack(text, hashBytes)
	if err != nil || len(raw) == 0 {
		*list = nil
		return err
	}
	*list = make(Hashes, len(raw)/hashBytes)
	for i := range *list {
		(*list)[i] = binary.LittleEndian.Uint64(raw[i*hashBytes:])
	}
	return nil
}

func unpack(text []byte, size int) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil || len(raw)%size != 0 {
		return nil, errPacked
	}
	return raw, nil
}
