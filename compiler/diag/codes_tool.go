package diag

// toolCodes are MSH0xxx.
var toolCodes = []Entry{}
