package lsp

import "testing"

// A new name that flow style reads as something else is quoted; others stay bare.
func TestANewNameIsQuotedWhereItMustBe(t *testing.T) {
	for text, want := range map[string]string{"web": "web", "a?b": `"a?b"`, "a,b": `"a,b"`, "": `""`} {
		if got := likewise("old", text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}
