package diag

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// index is the place of an item in a list, as a path writes it.
var index = regexp.MustCompile(`\[\d+\]`)

// Mark is the finding's fingerprint: equal for the same fault of the same object
// wherever the object stands, stable under reformatting and under items that come or
// go beside it. It holds code, object, path and message, but no position and no index;
// messages quote names.
func (f Finding) Mark() string {
	if f.Fingerprint != "" {
		return f.Fingerprint
	}
	object := ""
	if f.Object != nil {
		object = f.Object.Group + " " + f.Object.String()
	}
	path := index.ReplaceAllString(f.Path, "[]")
	sum := sha256.Sum256([]byte(strings.Join([]string{string(f.Code), object, path, f.Message}, "\x00")))
	return hex.EncodeToString(sum[:])[:32]
}

// Marks are the fingerprints of a list where each must be another's: the second of
// equal ones gets a number. Readers such as GitLab keep one finding of a fingerprint.
func (l List) Marks() []string {
	seen := map[string]int{}
	out := make([]string, len(l))
	for i, f := range l {
		m := f.Mark()
		if seen[m]++; seen[m] > 1 {
			sum := sha256.Sum256([]byte(fmt.Sprintf("%s %d", m, seen[m])))
			m = hex.EncodeToString(sum[:])[:32]
		}
		out[i] = m
	}
	return out
}
