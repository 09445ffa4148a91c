local function primes(limit)
  local composite, found = {}, {}
  for i = 0, limit do composite[i] = false end
  for i = 2, limit do
    if not composite[i] then
      found[#found + 1] = i
      local multiple = i * i
      while multiple <= limit do
        composite[multiple] = true
        multiple = multiple + i
      end
    end
  end
  return found
end

local limit = tonumber(arg[1]) or 1000000
local rounds = tonumber(arg[2]) or 1
local all = primes(limit)
for round = 2, rounds do all = primes(limit) end
print(string.format("%d primes up to %d", #all, limit))
if #all > 0 then print(string.format("the last one is %d", all[#all])) end
