package loop

import (
	"errors"
	"strings"
	"testing"
)

// TestRefusePublications: while a bus is away that refuses, nobody publishes but itself: what has come by it already
// goes its way.
func TestRefusePublications(t *testing.T) {
	e, addr := start(t, nil)
	sink := e.NewSink(SinkOptions{Name: "bus", MaxMessages: 8, MaxBytes: 1 << 20})
	defer sink.Close()
	other := e.NewSink(SinkOptions{Name: "other", MaxMessages: 8, MaxBytes: 1 << 20})
	defer other.Close()
	member := open(t, addr)
	member.join("g")
	of := func(from *Sink, text string) Publication {
		return Publication{Groups: []string{"g"}, Payload: []byte(text), IsText: true, From: from}
	}
	const send = `{"cmd":"send_to_group","group_id":"g","message":"by a session"}`
	e.RefusePublications(sink)
	for who, from := range map[string]*Sink{"a caller": nil, "another bridge": other} {
		if _, err := e.PublishAll(t.Context(), of(from, "x")); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: PublishAll: %v", who, err)
		}
		if err := e.Submit(t.Context(), of(from, "x")); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: Submit: %v", who, err)
		}
		if _, err := e.SubmitForPlace(t.Context(), of(from, "x")); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: SubmitForPlace: %v", who, err)
		}
	}
	member.write(textFrame(send))
	if text := member.next(); !strings.Contains(text, `"overloaded"`) {
		t.Errorf("a session got %s", text)
	}
	if err := e.Submit(t.Context(), of(sink, "by the bus")); err != nil {
		t.Errorf("the bus: %v", err)
	}
	member.want("by the bus")
	e.RefusePublications(nil)
	if _, err := e.PublishAll(t.Context(), of(nil, "by a caller")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	member.want("by a caller")
	member.write(textFrame(send))
	member.want("by a session")
}
