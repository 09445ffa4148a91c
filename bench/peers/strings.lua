local n = tonumber(arg[1]) or 100000
local text = {}
for i = 0, math.floor(n / 2) - 1 do
  text[#text + 1] = i % 1000
  text[#text + 1] = i % 10 == 9 and "\n" or ", "
end
local all = table.concat(text)
local lines = 0
for line in all:gmatch("[^\n]+") do lines = lines + 1 end
print(string.format("%d bytes, %d lines", #all, lines))
print((all:sub(-12):match("^%s*(.-)%s*$")))
