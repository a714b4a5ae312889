package upkeep

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/meshc/meshc/catalog/ca"
)

// A Secret holds at most a mebibyte. How far a rotation is names every proxy, and is
// kept packed where it is long.
const (
	rotation    = "rotation.json"
	packed      = rotation + ".gz"
	packFrom    = 128 << 10
	maxUnpacked = 64 << 20
)

// pack is files as a Secret holds them.
func pack(files ca.Files) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		out[name] = data
	}
	if len(out[rotation]) > packFrom {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(out[rotation])
		if errors.Join(err, w.Close()) == nil { // a buffer takes all
			out[packed] = b.Bytes()
			delete(out, rotation)
		}
	}
	return out
}

// unpack reads what a Secret holds. What is not ours in it is left out.
func unpack(data map[string][]byte) (ca.Files, error) {
	files := ca.Files{}
	for name, bytes := range data {
		if !strings.Contains(name, "/") {
			files[name] = bytes
		}
	}
	if raw, ok := data[packed]; ok {
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
		if err != nil {
			return nil, err
		}
		files[rotation] = text
		delete(files, packed)
	}
	if len(files["root.pem"]) == 0 {
		return nil, fs.ErrNotExist
	}
	return files, nil
}
