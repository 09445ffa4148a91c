local function length(start)
  local n, length = start, 1
  while n ~= 1 do
    if n % 2 == 0 then n = n / 2 else n = 3 * n + 1 end
    length = length + 1
  end
  return length
end

local limit = tonumber(arg[1]) or 30000
local best, longest = 1, 1
for start = 1, limit - 1 do
  local steps = length(start)
  if steps > longest then
    longest = steps
    best = start
  end
end
print(string.format("%d takes %d", best, longest))
