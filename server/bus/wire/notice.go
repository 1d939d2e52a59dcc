package wire

import "fmt"

// Limits of lists of groups in one message.
const (
	MaxEntries = 32_768 // of a Notice: 683 KiB as text
	MaxHashes  = 65_536 // of a Ranged: as much
)

// Notice says that messages may be lost: those for groups of Lost, or for any group, at places from behind
// After up to Upto.
type Notice struct {
	// Nobody says that none of the others got them, whatever places they have seen since.
	Nobody bool   `json:"nobody,omitempty"`
	All    bool   `json:"all,omitempty"` // instead of a list
	After  uint64 `json:"after"`
	Upto   uint64 `json:"upto"`
	// Place is where a Range finds them that Nobody got, for a node that has not heard this.
	Place uint64  `json:"place,omitempty"`
	Lost  Entries `json:"lost,omitempty"`
}

func (n *Notice) check() string {
	return checkList("lost", len(n.Lost), MaxEntries, n.All, n.After, n.Upto)
}

// Range asks one node which groups had messages at places from behind After up to Upto.
type Range struct {
	ID    uint64 `json:"id"`
	After uint64 `json:"after"`
	Upto  uint64 `json:"upto"`
}

func (r *Range) check() string { return checkList("", 0, 0, false, r.After, r.Upto) }

// Ranged is the answer to it.
type Ranged struct {
	ID     uint64 `json:"id"`
	All    bool   `json:"all,omitempty"` // any group may have had one: the node does not know any more
	Hashes Hashes `json:"hashes,omitempty"`
	Place  uint64 `json:"place"`          // the last order that the node wrote before the answer
	More   bool   `json:"more,omitempty"` // another part comes behind this one
}

func (r *Ranged) check() string {
	if r.All && r.More {
		return "more: want no other part where all is true: got one"
	}
	return checkList("hashes", len(r.Hashes), MaxHashes, r.All, 0, 0)
}

// checkList checks a list of groups and the places that it is about.
func checkList(field string, n, most int, all bool, after, upto uint64) string {
	switch {
	case n > most:
		return fmt.Sprintf("%s: want %d groups at most: got %d", field, most, n)
	case all && n > 0:
		return fmt.Sprintf("%s: want no list where all is true: got %d groups", field, n)
	case after > upto:
		return fmt.Sprintf("after, upto: want them in this order: got %d, %d", after, upto)
	}
	return ""
}
