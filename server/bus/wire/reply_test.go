package wire

import "testing"

func TestReply(t *testing.T) {
	got := string(NewReply(Place{"web-1", 0x00c0ffee12345678, 42}).JSON())
	if want := `{"node":"web-1","epoch":"00c0ffee12345678","order":42}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	got = string(Refusal{"mode", `want text or json: got "<b>"`}.JSON())
	if want := `{"error":"mode","reason":"want text or json: got \"<b>\""}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
